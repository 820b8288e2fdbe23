"""A remote that stores texts in a form of its own is told honestly, and nothing comes twice."""

import re
from collections import Counter
from collections.abc import Callable

import pytest
from normaliser import lower, normaliser, trimmed
from robber import Robber
from workplace import Workplace, restore, writes
from worlds import add_medium, add_memory, add_person, disaster, mid_sized

from sync.sandbox import Fault, FaultSet, Sandbox, World


def world_of_liberties() -> World:
    """What a remote may change: blanks, capitals, the order of tags; equal objects among it."""
    world = mid_sized()
    agent = world.agent("Guide")
    add_person(agent, "p5", "  Dora   Verdi ", "🦉")
    for key in ("m5", "m6"):
        add_memory(agent, key, " The  Bell ", " Once\n UPON  a time ", tags=["b", "a"])
        add_medium(agent, key, f"x-{key}", None, content="  Snow  ")
    return world


def numbers(world: World) -> dict[str, int]:
    agent = world.agent("Guide")
    return {
        "people": len(agent.people),
        "memories": len(agent.memories),
        "media": sum(len(each["media"]) for each in agent.memories.values()),
        "messages": len(agent.localization_keys),
        "files": len(world.assets),
    }


def lose(world: World) -> None:
    disaster(world)
    world.agent("Guide").people.pop("p5")


@pytest.mark.parametrize("of_text", [trimmed, lower])
def test_what_a_remote_stores_otherwise_is_named_and_comes_only_once(
    workplace: Workplace, of_text: Callable[[str], str]
):
    world = world_of_liberties()
    before = numbers(world)
    with Sandbox(world, middleware=normaliser(of_text)) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
        lose(world)
        first = workplace.run("restore", "--yes")
        assert first.code == 3, first
        assert "NOT verified" in first.out
        for key in ("m5", "m6"):
            line = rf"differs: memory {key} .*: answers, tags, title"
            assert re.search(line, first.out)
        assert numbers(world) == before
        for _ in range(2):
            sandbox.calls.clear()
            again = restore(workplace, code=3)
            assert again["verified"] is False
            # Tried once more, since a remote may mend its ways; nothing is made.
            assert again["steps"]["create"] == again["steps"]["upload"] == 0
            assert len(writes(sandbox)) == again["steps"]["update"]
            assert numbers(world) == before


TROUBLES = ["an error", "half an answer", "a page", "an error before"]


@pytest.mark.parametrize("of_text", [trimmed, lower])
def test_a_lost_answer_of_such_a_remote_leaves_no_duplicate(
    workplace: Workplace, of_text: Callable[[str], str]
):
    world = world_of_liberties()
    before = numbers(world)
    robber = Robber({})
    takes = normaliser(of_text)
    with Sandbox(world, middleware=lambda app: robber.wrap(takes(app))) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
        lose(world)
        for number in range(3):
            robber.rob({call: TROUBLES[call % 4] for call in range(number + 1, 40, 5)})
            assert workplace.run("restore", "--yes", "--snapshot", "2").code in (0, 3)
        robber.rob({})
        restore(workplace, "--snapshot", "2", code=3)
        assert numbers(world) == before
        open_still = workplace.sql("select count(*) from restore_step where status = 'begun'")
        assert open_still == [(0,)]
        doubled = Counter(workplace.sql("select kind, new_key from key_map"))
        assert [each for each, count in doubled.items() if count > 1] == []


def test_nor_is_anything_doubled_of_which_nothing_can_be_changed(
    workplace: Workplace, world: World
):
    questions = world.agent("Guide").collection("unansweredQuestions")
    asked = {"text": " WHERE  is it? ", "contextVars": {}, "receiverID": None}
    questions["q"] = {"unansweredQuestionID": "q", **asked}
    lost = Fault(
        "/memori/v2/UnansweredQuestion/*", "POST", nth=1, status=500, body="<html>", after=True
    )
    faults = FaultSet([lost])
    with Sandbox(world, middleware=normaliser(trimmed), faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
        questions.clear()
        for _ in range(2):
            result = workplace.run("restore", "--yes", "--json").json
            reasons = [each["reason"] for each in result["not_restorable"]]
            assert reasons == ["text cannot be changed"]
        faults.check()
    assert [each["text"] for each in questions.values()] == ["WHERE is it?"]
