"""`restore --into`: another agent becomes like one that was backed up."""

from typing import Any

import pytest
from workplace import Workplace, execute, likeness, restore, what_is_there, writes

from sync.sandbox import Agent, Fault, FaultSet, Sandbox, World


@pytest.fixture
def guide(world: World) -> Agent:
    return world.agent("Guide")


@pytest.fixture
def twin(world: World) -> Agent:
    """An agent that knows nothing but its Giver."""
    return world.add_agent("Twin")


def clone(work: Workplace, *args: str, code: int = 0) -> dict[str, Any]:
    return restore(work, "--memori", "Guide", "--into", "Twin", *args, code=code)


def test_a_clone_knows_what_the_first_one_knew_and_all_of_it_is_its_own(
    work: Workplace, world: World, guide: Agent, twin: Agent
):
    guide.memories["m-hours-1"]["answers"][0]["text"] += f" {next(iter(world.assets))}"
    guide.memories["m-tale-1"]["answers"][0]["text"] += (
        f' <img src="{next(iter(world.assets.values())).document["assetURL"]}">'
    )
    work.first_backup()
    before = what_is_there(world)["Guide"]

    result = clone(work)

    assert result["verified"] is True
    assert result["target"]["name"] == "Twin"
    assert likeness(world, "Twin")["memories"] == likeness(world, "Guide")["memories"]
    assert likeness(world, "Twin")["people"] == likeness(world, "Guide")["people"]
    assert likeness(world, "Twin")["files"] == likeness(world, "Guide")["files"]
    assert what_is_there(world)["Guide"] == before
    assert not guide.memories.keys() & twin.memories.keys()
    told = next(each for each in twin.memories.values() if each["title"] == "The bell")
    assert told["receiverID"] in twin.people
    mine = [n for n, each in world.assets.items() if each.document["memoriID"] == twin.memori_id]
    assert mine[0] in told["answers"][0]["text"]
    hours = next(each for each in twin.memories.values() if each["title"] == "Opening hours")
    assert mine[0] in hours["media"][0]["url"]


def test_a_second_clone_sends_nothing_and_a_later_one_only_what_changed(
    work: Workplace, sandbox: Sandbox, world: World, guide: Agent, twin: Agent
):
    work.first_backup()
    clone(work)
    sandbox.calls.clear()
    assert clone(work)["steps"] == {"create": 0, "update": 0, "delete": 0, "upload": 0}
    assert writes(sandbox) == []
    guide.memories["m-hours-1"]["title"] = "New hours"
    work.backup()
    assert clone(work)["steps"] == {"create": 0, "update": 1, "delete": 0, "upload": 0}
    assert likeness(world, "Twin") == likeness(world, "Guide")
    assert len(world.assets) == 2


def test_a_set_of_messages_that_the_other_agent_has_not_is_told_and_not_tried(
    work: Workplace, sandbox: Sandbox, guide: Agent, twin: Agent
):
    guide.localization_keys["HELLO_1"] = {"key": "HELLO_1", "value": "hello"}
    work.first_backup()
    result = clone(work)
    assert (result["verified"], result["failed"]) == (True, 0)
    reasons = {each["key"]: each["reason"] for each in result["not_restorable"]}
    assert "no such set of keys" in reasons["HELLO_1"]
    assert not [each for each in writes(sandbox) if each.startswith("POST") and "Localiz" in each]


def test_what_it_has_of_the_same_nature_is_changed_and_not_doubled(
    work: Workplace, guide: Agent, twin: Agent
):
    key = "p-of-its-own"
    anna = guide.people["p-anna-1"]
    twin.people[key] = {**anna, "personID": key, "name": "Annie"}
    work.first_backup()
    clone(work)
    assert twin.people[key]["name"] == "Anna"
    assert len(twin.people) == 2
    told = next(each for each in twin.memories.values() if each["title"] == "The bell")
    assert told["receiverID"] == key


def test_settings_come_along_only_if_they_are_named_and_never_the_name(
    work: Workplace, guide: Agent, twin: Agent
):
    guide.settings["description"] = "All about the museum"
    work.first_backup()
    clone(work)
    assert twin.settings.get("description") != "All about the museum"
    clone(work, "--kind", "memori")
    assert twin.settings["description"] == "All about the museum"
    assert twin.settings["name"] == "Twin"


def test_extras_of_a_clone_go_only_if_they_are_told_to(
    work: Workplace, world: World, guide: Agent, twin: Agent
):
    work.first_backup()
    clone(work)
    twin.memories["m-own"] = {**next(iter(twin.memories.values())), "memoryID": "m-own"}
    twin.memories["m-own"]["media"] = []
    clone(work)
    assert "m-own" in twin.memories
    clone(work, "--delete-extra")
    assert likeness(world, "Twin") == likeness(world, "Guide")


def test_a_cloned_file_is_no_successor_of_the_first_one(work: Workplace, world: World, twin: Agent):
    work.first_backup()
    clone(work)
    (first,) = [n for n, e in world.assets.items() if e.document["memoriID"] != twin.memori_id]
    asset = first.removesuffix(".png")
    assert len(work.run("log", "asset", asset, "--json").json["changes"]) == 1
    # Nor does the clone hide that the first one is gone, or stand in for it.
    del world.assets[first]
    work.backup()
    changes = work.run("log", "asset", asset, "--json").json["changes"]
    assert [each["op"] for each in changes] == ["deleted", "created"]
    result = restore(work, "--memori", "Guide", "--snapshot", "2")
    assert result["steps"]["upload"] == 1


def test_a_clone_that_is_lost_again_comes_back_like_any_other_agent(
    work: Workplace, world: World, twin: Agent
):
    work.first_backup()
    clone(work)
    work.backup()
    before = what_is_there(world)
    twin.memories.clear()
    for name in [n for n, e in world.assets.items() if e.document["memoriID"] == twin.memori_id]:
        del world.assets[name]
    result = restore(work, "--memori", "Twin")
    assert result["verified"] is True
    assert what_is_there(world) == before
    assert clone(work)["steps"] == {"create": 0, "update": 0, "delete": 0, "upload": 0}


NOTHING = {"create": 0, "update": 0, "delete": 0, "upload": 0}


def lose_all(world: World, agent: Agent) -> None:
    """What an agent was taught, but its Giver and its messages."""
    agent.memories.clear()
    for key in [key for key, each in agent.people.items() if each["personType"] == "Receiver"]:
        del agent.people[key]
    for name in [n for n, e in world.assets.items() if e.document["memoriID"] == agent.memori_id]:
        del world.assets[name]


def test_what_the_first_agent_got_back_under_other_keys_is_not_doubled_in_its_clone(
    work: Workplace, world: World, guide: Agent, twin: Agent
):
    work.first_backup()
    clone(work)
    before = what_is_there(world)
    lose_all(world, guide)
    restore(work, "--memori", "Guide", "--snapshot", "2")
    work.backup()
    assert clone(work)["steps"] == NOTHING
    assert clone(work, "--snapshot", "2")["steps"] == NOTHING
    assert what_is_there(world) == before


def test_a_clone_gives_back_what_the_first_agent_lost_and_doubles_nothing(
    work: Workplace, world: World, guide: Agent, twin: Agent
):
    work.first_backup()
    clone(work)
    work.backup()
    before = what_is_there(world)
    assert restore(work, "--memori", "Twin", "--into", "Guide")["steps"] == NOTHING
    lose_all(world, guide)
    result = restore(work, "--memori", "Twin", "--into", "Guide")
    assert result["steps"] == {"create": 4, "update": 0, "delete": 0, "upload": 1}
    assert restore(work, "--memori", "Guide", "--snapshot", "2")["steps"] == NOTHING
    assert clone(work, "--snapshot", "2")["steps"] == NOTHING
    assert what_is_there(world) == before


def test_what_a_killed_clone_made_is_known_to_a_restore_of_the_agent_itself(
    work: Workplace, world: World, guide: Agent, twin: Agent
):
    work.first_backup()
    clone(work)
    work.backup()
    before = what_is_there(world)
    lose_all(world, guide)
    restore(work, "--memori", "Twin", "--into", "Guide")
    # As a kill leaves it: everything was carried out, and no answer came.
    execute(work, "update restore_step set status = 'begun', new_key = null where restore_id = 2")
    execute(work, "delete from key_map where source_id = 2")
    assert restore(work, "--memori", "Guide", "--snapshot", "2")["steps"] == NOTHING
    assert what_is_there(world) == before
    # The clone's own file came back as nothing else: it is still there.
    ((old,),) = work.sql("select old_key from key_map where source_id = 2 and kind = 'asset'")
    assert old.startswith("copy of ")


def test_a_file_of_the_clone_that_the_first_agent_shows_is_not_doubled_there(
    work: Workplace, world: World, guide: Agent, twin: Agent
):
    work.first_backup()
    clone(work)
    (theirs,) = [n for n, e in world.assets.items() if e.document["memoriID"] == twin.memori_id]
    text = f'<img src="https://assets.memori.ai/api/v2/asset/{theirs}">'
    guide.memories["m-tale-1"]["answers"][0]["text"] += text
    work.backup(code=3)  # Its own session does not open the file of another agent.
    assert clone(work)["steps"] == {"create": 0, "update": 1, "delete": 0, "upload": 0}
    assert clone(work)["steps"] == NOTHING
    told = next(each for each in twin.memories.values() if each["title"] == "The bell")
    assert told["answers"][0]["text"].endswith(text)


@pytest.mark.parametrize("into", ["Guide", "Twin"])
@pytest.mark.parametrize("name", ["Guide", "Twin"])
def test_a_file_of_another_agent_that_is_shown_beside_its_copy_comes_back_once(
    work: Workplace, world: World, twin: Agent, name: str, into: str
):
    work.first_backup()
    clone(work)
    agent = world.agent(name)
    (theirs,) = [n for n, e in world.assets.items() if e.document["memoriID"] != agent.memori_id]
    told = next(each for each in agent.memories.values() if each["title"] == "The bell")
    told["answers"][0]["text"] += f' <img src="https://assets.memori.ai/api/v2/asset/{theirs}">'
    snapshots = work.backup(code=3)["snapshots"]
    (shown,) = [str(each["id"]) for each in snapshots if each["source"]["name"] == name]
    world.assets.clear()
    args = ("--memori", name, "--snapshot", shown, "--into", into)
    assert restore(work, *args)["verified"] is True
    (back,) = world.assets
    told = [each for each in world.agent(into).memories.values() if each["title"] == "The bell"]
    assert back in told[0]["answers"][0]["text"]
    assert restore(work, *args)["steps"] == NOTHING


def test_a_file_of_the_clone_never_stands_for_one_of_the_first_agent(
    serve, workplace: Workplace, world: World, guide: Agent, twin: Agent
):
    faults = FaultSet([Fault("/api/v2/asset/*", "POST", nth=3, status=500, body="<html>")])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
        clone(workplace)
        own, theirs = world.assets
        del world.assets[own]
        restore(workplace, "--memori", "Guide", "--snapshot", "2")
        text = f'<img src="https://assets.memori.ai/api/v2/asset/{theirs}">'
        guide.memories["m-tale-1"]["answers"][0]["text"] += text
        shown = workplace.backup(code=3)["snapshots"][1]["id"]
        before = what_is_there(world)["Guide"]
        (back,) = world.assets.keys() - {theirs}
        del world.assets[back]
        args = ("--memori", "Guide", "--snapshot", str(shown))
        assert restore(workplace, *args, code=3)["failed"]
        assert restore(workplace, *args)["steps"]["upload"] == 1
        faults.check()
        assert what_is_there(world)["Guide"] == before


def test_a_clone_of_a_clone_is_one_of_the_first_agent_too(
    work: Workplace, world: World, guide: Agent, twin: Agent
):
    third = world.add_agent("Third")
    work.first_backup()
    clone(work)
    work.backup()
    restore(work, "--memori", "Twin", "--into", "Third")
    before = what_is_there(world)
    for name in ("Guide", "Twin"):
        assert restore(work, "--memori", name, "--into", "Third")["steps"] == NOTHING
    lose_all(world, third)
    assert restore(work, "--memori", "Guide", "--into", "Third")["verified"] is True
    assert restore(work, "--memori", "Twin", "--into", "Third")["steps"] == NOTHING
    assert what_is_there(world) == before


def test_a_clone_whose_answers_were_lost_goes_on_and_doubles_nothing(
    serve, workplace: Workplace, world: World, twin: Agent
):
    lost = {"status": 500, "body": "<html>", "after": True}
    faults = FaultSet(
        [
            Fault("/memori/v2/person/*", "POST", nth=1, **lost),
            Fault("/memori/v2/memory/*", "POST", nth=2, **lost),
            Fault("/api/v2/asset/*", "POST", nth=1, **lost),
        ]
    )
    sandbox = serve(world, faults=faults)
    sandbox.start()
    workplace.settle(sandbox)
    workplace.first_backup()
    for _ in range(4):
        outcome = workplace.run("restore", "--memori", "Guide", "--into", "Twin", "--yes", "--json")
        if outcome.code == 0:
            break
    faults.check()
    assert outcome.json["verified"] is True
    assert likeness(world, "Twin") == likeness(world, "Guide")
    assert len(world.assets) == 2


def test_an_agent_that_is_not_there_cannot_be_made_like_another(work: Workplace, twin: Agent):
    work.first_backup()
    outcome = work.run("restore", "--memori", "Guide", "--into", "Nobody", "--yes")
    assert outcome.code == 2
    assert "owns no Memori 'Nobody'" in outcome.err
    shown = work.run("restore", "--memori", "Guide", "--into", "Twin", "--dry-run").out
    assert shown.startswith("'Twin' as 'Guide' in snapshot 2 of ")
