"""The round-trip law: mutate, back up, damage, restore: everything is as it was.

Random small worlds, random damage; the sandbox's state is compared as its users know it.
"""

import random
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workplace import Workplace, likeness, what_is_there

from sync.sandbox import Agent, Asset, World
from sync.snapshot import GUARDED

AUDIT = {
    "creationTimestamp": "2024-02-01T10:00:00Z",
    "creationSessionID": "5e551000-0000-4000-8000-0000000000aa",
    "lastChangeTimestamp": "2024-02-01T10:00:00Z",
    "lastChangeSessionID": "5e551000-0000-4000-8000-0000000000aa",
}
WORDS = ["sole", "luna", "mare", "è già", "🦊", "<b>neve</b>", "a/b", "  spazi  "]


def url_of(number: int) -> str:
    return f"https://assets.memori.ai/api/v2/asset/0000000{number}-aaaa-4bbb-8ccc-00000000000f.png"


def build(chance: random.Random) -> World:
    """A world with people, contents, files and everything that can refer to something."""
    world = World.empty()
    agent = world.add_agent("Guide")
    for number in range(chance.randrange(4)):
        key = f"p{number}"
        agent.people[key] = {
            "personID": key,
            "personType": "Receiver",
            "name": chance.choice(WORDS),
            "information": chance.choice([None, *WORDS]),
            "pin": f"{chance.randrange(10**6):06}",
            "tag": f"tag {number}",
            **AUDIT,
        }
    memories = [f"m{number}" for number in range(chance.randrange(5))]
    files = list(range(chance.randrange(4)))
    for number in files:
        add_file(world, agent, number, chance.choice([None, *memories]))
    for key in memories:
        agent.memories[key] = content(chance, key, [None, *list(agent.people)[1:]], files)
    return world


def add_file(world: World, agent: Agent, number: int, memory: str | None) -> None:
    name = url_of(number).rpartition("/")[2]
    document = {
        "assetID": name.removesuffix(".png"),
        "assetURL": url_of(number),
        "mimeType": "image/png",
        "originalFileName": f"file {number}",
        "memoriID": agent.memori_id,
        "engineMemoryID": memory,
    }
    world.assets[name] = Asset(document, b"\x89PNG\r\n\x1a\n" + bytes([number]))


def content(chance: random.Random, key: str, receivers: list, files: list[int]) -> dict:
    text = chance.choice(WORDS)
    if files and chance.random() < 0.5:
        text += f' <img src="{url_of(chance.choice(files))}">'
    media = []
    for number in range(chance.randrange(4)):
        is_file = bool(files) and chance.random() < 0.5
        media.append(
            {
                "mediumID": f"{key}x{number}",
                "url": url_of(chance.choice(files)) if is_file else None,
                "content": None if is_file else chance.choice(WORDS),
                "mimeType": "image/png" if is_file else "text/plain",
                "title": chance.choice([None, *WORDS]),
                "properties": {"size": "1"} if chance.random() < 0.3 else {},
                **AUDIT,
            }
        )
    return {
        "memoryID": key,
        "memoryType": chance.choice(["Question", "Story", "CompletionDraft"]),
        "title": chance.choice(WORDS),
        "titleVariants": chance.sample(WORDS, chance.randrange(3)),
        "answers": [{"text": text, "preformatted": chance.choice([True, False]), **AUDIT}],
        "media": media,
        "receiverID": chance.choice(receivers),
        "placeName": chance.choice([None, "Bologna"]),
        "hints": chance.sample(WORDS, chance.randrange(2)),
        "tags": [],
        "contextVarsToSet": chance.choice([{}, {"A": "-"}]),
        "contextVarsToMatch": {},
        **AUDIT,
    }


def damage(chance: random.Random, world: World) -> None:
    """What someone may do to an agent on a bad day."""
    agent = world.agent("Guide")
    lose_people(chance, agent)
    for name in [each for each in world.assets if chance.random() < 0.4]:
        del world.assets[name]
    for key in [each for each in agent.memories if chance.random() < 0.3]:
        del agent.memories[key]
    for memory in [each for each in agent.memories.values() if chance.random() < 0.6]:
        memory.update(title="changed", hints=["changed"])
        memory["placeName"] = chance.choice([None, "Roma"])
        if chance.random() < 0.5:
            # Only from the end: what lies before others cannot come back in between.
            del memory["media"][1:]
    for each in agent.localization_keys.values():
        if chance.random() < 0.2:
            each["value"] = "changed"


def lose_people(chance: random.Random, agent: Agent) -> None:
    receivers = [key for key, each in agent.people.items() if each["personType"] == "Receiver"]
    for key in receivers:
        if chance.random() < 0.4:
            del agent.people[key]
            for memory in agent.memories.values():
                if memory["receiverID"] == key:
                    memory["receiverID"] = None
        elif chance.random() < 0.4:
            agent.people[key]["name"] = "changed"


@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_whatever_was_damaged_comes_back(workplace: Workplace, serve: Callable, seed: int):
    chance = random.Random(seed)
    world = build(chance)
    workplace = replace(workplace, folder=workplace.folder / uuid4().hex)
    workplace.folder.mkdir()
    with serve(world) as sandbox:
        workplace.settle(sandbox)
        snapshot = str(workplace.backup()["snapshots"][1]["id"])
        before = what_is_there(world)
        damage(chance, world)

        result = workplace.run("restore", "--yes", "--json", "--snapshot", snapshot)

        assert result.code == 0, result
        assert result.json["verified"] is True
        assert what_is_there(world) == before
        again = workplace.run("restore", "--yes", "--json", "--snapshot", snapshot)
        assert again.json["done"] == 0
        assert what_is_there(world) == before


def give_a_set_of_messages(agent: Agent) -> None:
    for key in ("INPUT_QUIT_1", "INPUT_QUIT_2"):
        agent.localization_keys[key] = {"key": key, "value": key}


def add_things(chance: random.Random, world: World) -> None:
    """What someone may add meanwhile; never so much that nobody would believe it is too much."""
    agent = world.agent("Guide")
    for number in range(chance.randrange(3)):
        key = f"new-{number}"
        person = {"personID": key, "personType": "Receiver", "name": "new", "pin": "000000"}
        agent.people[key] = {**person, "tag": f"new {number}", **AUDIT}
    for memory in list(agent.memories.values()):
        if chance.random() < 0.3:
            medium = {"mediumID": f"new {memory['memoryID']}", "mimeType": "text/plain"}
            memory["media"].append({**medium, "url": None, "content": "new", **AUDIT})
    for number in range(chance.randrange(3)):
        receivers = [None, *[key for key in agent.people if key.startswith("new-")]]
        key = f"new-{number}"
        agent.memories[key] = content(chance, key, receivers, [])
    if chance.random() < 0.5:
        agent.localization_keys["INPUT_QUIT_3"] = {"key": "INPUT_QUIT_3", "value": "new"}


@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_whatever_was_added_goes_if_it_is_told_to(workplace: Workplace, serve: Callable, seed: int):
    chance = random.Random(seed)
    world = build(chance)
    give_a_set_of_messages(world.agent("Guide"))
    workplace = replace(workplace, folder=workplace.folder / uuid4().hex)
    workplace.folder.mkdir()
    with serve(world) as sandbox:
        workplace.settle(sandbox)
        snapshot = str(workplace.backup()["snapshots"][1]["id"])
        before = what_is_there(world)
        damage(chance, world)
        add_things(chance, world)
        args = ("restore", "--yes", "--json", "--snapshot", snapshot, "--delete-extra")
        result = workplace.run(*args)
        assert result.code == 0, result
        assert what_is_there(world) == before
        assert workplace.run(*args).json["done"] == 0


@settings(max_examples=2, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_whatever_an_agent_is_like_a_clone_becomes_so(
    workplace: Workplace, serve: Callable, seed: int
):
    chance = random.Random(seed)
    world = build(chance)
    for agent in (world.agent("Guide"), world.add_agent("Twin")):
        give_a_set_of_messages(agent)
    workplace = replace(workplace, folder=workplace.folder / uuid4().hex)
    workplace.folder.mkdir()
    args = ("restore", "--yes", "--json", "--memori", "Guide", "--into", "Twin", "--delete-extra")
    with serve(world) as sandbox:
        workplace.settle(sandbox)
        for _ in range(2):
            if workplace.run("backup").code == GUARDED:
                return  # So much was lost that nobody would believe it.
            before = what_is_there(world)["Guide"]
            result = workplace.run(*args)
            assert result.code == 0, result.err[-2000:]
            assert what_is_there(world)["Guide"] == before
            twin, guide = (likeness(world, name) for name in ("Twin", "Guide"))
            # What was uploaded to a clone stays, if its kind is not named.
            assert {*guide.pop("files")} <= {*twin.pop("files")}
            assert twin == guide
            assert workplace.run(*args).json["done"] == 0
            damage(chance, world)
            add_things(chance, world)
