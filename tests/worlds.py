"""Worlds that hold all that a restore can meet, what may happen to them, and how they compare."""

import copy
import random
from collections.abc import Callable, Iterable
from typing import Any

from others import change_others, lose_others, new_others, others_as_known
from workplace import what_is_there

from sync.kinds import KINDS
from sync.sandbox import Agent, Asset, World

AUDIT = {
    "creationTimestamp": "2024-02-01T10:00:00Z",
    "creationSessionID": "5e551000-0000-4000-8000-0000000000aa",
    "lastChangeTimestamp": "2024-02-01T10:00:00Z",
    "lastChangeSessionID": "5e551000-0000-4000-8000-0000000000aa",
}
PNG = b"\x89PNG\r\n\x1a\n"


def url_of(name: str) -> str:
    return f"https://assets.memori.ai/api/v2/asset/{name}"


def add_person(agent: Agent, key: str, name: str, tag: str | None, **more: Any) -> None:
    facts = {"name": name, "information": None, "pin": "001234", "tag": tag, **more}
    agent.people[key] = {"personID": key, "personType": "Receiver", **facts, **AUDIT}


def add_memory(agent: Agent, key: str, title: str, text: str, **more: Any) -> None:
    facts = {
        "memoryType": "Question",
        "title": title,
        "titleVariants": [],
        "receiverID": None,
        "hints": [],
        "tags": [],
        "contextVarsToSet": {},
        "contextVarsToMatch": {},
        "lastRead": None,
        "readOccurrences": 0,
        **more,
    }
    answers = [{"text": text, "preformatted": False, **AUDIT}]
    agent.memories[key] = {"memoryID": key, **facts, "answers": answers, "media": [], **AUDIT}


def add_medium(agent: Agent, memory: str, key: str, title: str | None, **more: Any) -> None:
    facts = {"url": None, "content": None, "mimeType": "text/plain", "properties": {}, **more}
    agent.memories[memory]["media"].append({"mediumID": key, "title": title, **facts, **AUDIT})


def add_file(
    world: World, agent: Agent, name: str, content: bytes, memory: str | None, title: str
) -> None:
    document = {
        "assetID": name.partition(".")[0],
        "assetURL": url_of(name),
        "mimeType": "image/png",
        "originalFileName": title,
        "memoriID": agent.memori_id,
        "engineMemoryID": memory,
        "creationTimestamp": AUDIT["creationTimestamp"],
        "lastChangeTimestamp": AUDIT["lastChangeTimestamp"],
    }
    world.assets[name] = Asset(document, content)


def everything(world: World, name: str = "Guide") -> dict[str, Any]:
    """A world as its users know it, so that nothing that is there twice goes unseen."""
    urls = {
        each.document["assetURL"]: f"{each.document['originalFileName']}:{each.content.hex()[:64]}"
        for each in world.assets.values()
    }
    settings = world.agent(name).settings
    return {
        **what_is_there(world)[name],
        "order of messages": list(world.agent(name).localization_keys),
        "settings": {
            field: urls.get(value, value) if isinstance(value, str) else value
            for field, value in settings.items()
            if field != "lastChangeTimestamp"
        },
        "files of the account": len(world.assets),
        "others": others_as_known(world.agent(name)),
    }


# -- one world by hand


def mid_sized() -> World:
    """People, contents, media of every form, files, a set of messages; equal ones among all."""
    world = World.empty()
    agent = world.add_agent("Guide")
    picture, map_, song = (f"0000000{n}-aaaa-4bbb-8ccc-00000000000f.png" for n in range(3))
    add_person(agent, "p1", "Anna", "🦊", information="knows the bell")
    add_person(agent, "p2", "Bruno", "🐝")
    for key in ("p3", "p4"):
        add_person(agent, key, "Carla", None)
    add_memory(agent, "m1", "Hours", f'<img src="{url_of(picture)}">', receiverID="p1")
    add_memory(agent, "m2", "Way", f"see {url_of(map_)}", placeName="Bologna", tags=["way"])
    for key, person in (("m3", "p3"), ("m4", "p4")):
        add_memory(agent, key, "Tale", "Once upon a time", receiverID=person)
    add_file(world, agent, picture, PNG + b"picture", "m1", "pic/ture")
    for name in (map_, song):
        add_file(world, agent, name, PNG + b"map", None, "map")
    add_medium(agent, "m1", "x1", "picture", url=url_of(picture), mimeType="image/png")
    add_medium(agent, "m1", "x2", None, url="https://example.com/", mimeType="text/html")
    add_medium(agent, "m1", "x3", "code", content="<b>neve</b>", properties={"size": "1"})
    for key in ("x4", "x5"):
        add_medium(agent, "m2", key, "map", url=url_of(map_), mimeType="image/png")
    for memory in ("m3", "m4"):
        add_medium(agent, memory, f"x-{memory}", None, content="snow")
    for number in range(1, 4):
        key = f"INPUT_QUIT_{number}"
        agent.localization_keys[key] = {"key": key, "value": f"bye {number % 2}"}
    agent.settings["coverURL"] = url_of(song)
    return world


def disaster(world: World) -> None:
    """Most of it is lost, and some of the rest is changed."""
    agent = world.agent("Guide")
    agent.people = {key: each for key, each in agent.people.items() if key not in ("p1", "p3")}
    agent.people.pop("p4")
    agent.people["p2"]["name"] = "Bruna"
    agent.memories = {key: each for key, each in agent.memories.items() if key == "m2"}
    agent.memories["m2"].update(title="Off", placeName=None, media=[])
    world.assets.clear()
    del agent.localization_keys["INPUT_QUIT_2"], agent.localization_keys["INPUT_QUIT_3"]
    agent.localization_keys["GOODBYE"]["value"] = "Gone"


# -- worlds of chance, and what a day may bring

WORDS = ["sole", "luna", "è già", "🦊", "<b>neve</b>", "a/b", "  spazi  "]
Edit = Callable[[random.Random, World], None]


def world_of_chance(chance: random.Random) -> World:
    """Some of everything, put in as somebody would do it by and by."""
    world = World.empty()
    agent = world.add_agent("Guide")
    new_file(chance, world)
    agent.settings["coverURL"] = url_of(next(iter(world.assets)))
    for number in (1, 2):
        key = f"INPUT_QUIT_{number}"
        agent.localization_keys[key] = {"key": key, "value": chance.choice(WORDS)}
    for add in (new_person, new_file, new_memory, new_medium, new_medium, new_other):
        for _ in range(chance.randrange(1, 4)):
            add(chance, world)
    return world


def _name(chance: random.Random) -> str:
    return f"{chance.getrandbits(64):016x}"


def _some(chance: random.Random, found: Iterable[Any], part: float = 0.5) -> list[Any]:
    return [each for each in found if chance.random() < part]


def _people(agent: Agent) -> list[dict[str, Any]]:
    return [each for each in agent.people.values() if each["personType"] == "Receiver"]


def _text(chance: random.Random, world: World) -> str:
    text = chance.choice(WORDS)
    if world.assets and chance.random() < 0.4:
        text += f' <img src="{url_of(chance.choice(list(world.assets)))}">'
    return text


def _body(chance: random.Random, world: World) -> dict[str, Any]:
    """What a medium is: a file of ours, somebody's link or a snippet."""
    form = chance.randrange(3)
    if form == 0 and world.assets:
        return {"url": url_of(chance.choice(list(world.assets))), "content": None}
    if form == 1:
        return {"url": f"https://example.com/{chance.randrange(3)}", "content": None}
    return {"url": None, "content": _text(chance, world)}


def new_person(chance: random.Random, world: World) -> None:
    """Without a tag one can be like another in everything."""
    key, is_one_of_many = _name(chance), chance.random() < 0.4
    tag, name = (None, "Carla") if is_one_of_many else (f"tag {key}", chance.choice(WORDS))
    add_person(world.agent("Guide"), key, name, tag)


def new_file(chance: random.Random, world: World) -> None:
    agent, content = world.agent("Guide"), PNG + bytes([chance.randrange(4)])
    memory = chance.choice([None, *agent.memories])
    name = f"{_name(chance)}.png"
    add_file(world, agent, name, content, memory, chance.choice(["map", "map", "a/b", "song"]))


def new_memory(chance: random.Random, world: World) -> None:
    agent, key = world.agent("Guide"), _name(chance)
    facts = {
        "receiverID": chance.choice([None, *(each["personID"] for each in _people(agent))]),
        "placeName": chance.choice([None, "Bologna"]),
        "hints": _some(chance, WORDS[:2]),
        "memoryType": chance.choice(["Question", "Story", "CompletionDraft"]),
    }
    add_memory(agent, key, chance.choice(WORDS), _text(chance, world), **facts)
    if chance.random() < 0.3:
        name = f"{_name(chance)}.png"
        add_file(world, agent, name, PNG + key.encode(), key, "own")
        # The text of a memory that refers to a file that hangs on this memory.
        agent.memories[key]["answers"][0]["text"] += f" {url_of(name)}"


def same_memory_again(chance: random.Random, world: World) -> None:
    memories = world.agent("Guide").memories
    if memories:
        new = copy.deepcopy(chance.choice(list(memories.values())))
        new["memoryID"] = _name(chance)
        new["media"] = [{**each, "mediumID": _name(chance)} for each in new["media"]]
        memories[new["memoryID"]] = new


def new_medium(chance: random.Random, world: World) -> None:
    agent = world.agent("Guide")
    for memory in _some(chance, agent.memories):
        facts = {"properties": chance.choice([{}, {"size": "1"}]), **_body(chance, world)}
        for _ in range(chance.choice([1, 1, 2])):
            add_medium(agent, memory, _name(chance), chance.choice([None, "map"]), **facts)


def new_other(chance: random.Random, world: World) -> None:
    new_others(chance, world.agent("Guide"))


def lose_other(chance: random.Random, world: World) -> None:
    lose_others(chance, world.agent("Guide"))


def change_other(chance: random.Random, world: World) -> None:
    change_others(chance, world.agent("Guide"))


def lose_media(chance: random.Random, world: World) -> None:
    """Only from the end: what lies before others cannot come back in between."""
    for memory in _some(chance, world.agent("Guide").memories.values()):
        del memory["media"][chance.randrange(len(memory["media"]) + 1) :]


def change_media(chance: random.Random, world: World) -> None:
    for memory in _some(chance, world.agent("Guide").memories.values()):
        for medium in memory["media"]:
            if medium["title"]:
                medium["title"] = chance.choice(WORDS)
        if memory["media"]:
            # A link that becomes a snippet is made anew, so it must be the last.
            memory["media"][-1].update(_body(chance, world))


def lose_people(chance: random.Random, world: World) -> None:
    agent = world.agent("Guide")
    questions = agent.collection("unansweredQuestions").values()
    for person in _some(chance, _people(agent)):
        del agent.people[person["personID"]]
        for each in (*agent.memories.values(), *questions):
            if each["receiverID"] == person["personID"]:
                each["receiverID"] = None


def lose_memories(chance: random.Random, world: World) -> None:
    agent = world.agent("Guide")
    for key in _some(chance, agent.memories):
        del agent.memories[key]
        for name, asset in list(world.assets.items()):
            if asset.document["engineMemoryID"] == key:
                asset.document["engineMemoryID"] = None
                if chance.random() < 0.5:
                    del world.assets[name]


def lose_files(chance: random.Random, world: World) -> None:
    for name in _some(chance, world.assets):
        del world.assets[name]


def change_things(chance: random.Random, world: World) -> None:
    agent = world.agent("Guide")
    for person in _some(chance, agent.people.values(), 0.3):
        person["name"] = chance.choice(WORDS)
    for memory in _some(chance, agent.memories.values(), 0.5):
        memory["title"] = chance.choice(WORDS)
        memory["placeName"] = chance.choice([None, "Roma"])
        memory["hints"] = _some(chance, WORDS[:2])
        memory["answers"][0]["text"] = _text(chance, world)
        people = (each["personID"] for each in _people(agent))
        memory["receiverID"] = chance.choice([None, *people])
    for asset in _some(chance, world.assets.values(), 0.3):
        asset.document["originalFileName"] = chance.choice(["map", "a/b"])
        asset.document["engineMemoryID"] = chance.choice([None, *agent.memories])
    if world.assets:
        agent.settings["coverURL"] = url_of(chance.choice(list(world.assets)))
    agent.settings["description"] = chance.choice(WORDS)


def change_messages(chance: random.Random, world: World) -> None:
    keys = world.agent("Guide").localization_keys
    for message in _some(chance, keys.values(), 0.3):
        message["value"] = chance.choice(WORDS)
    number = sum(1 for key in keys if key.startswith("INPUT_QUIT_"))
    if number > 1 and chance.random() < 0.5:
        del keys[f"INPUT_QUIT_{number}"]
    else:
        key = f"INPUT_QUIT_{number + 1}"
        keys[key] = {"key": key, "value": chance.choice(WORDS)}


EDITS: dict[str, Edit] = {
    edit.__name__: edit
    for edit in (
        new_person, new_file, new_memory, same_memory_again, new_medium, lose_media, change_media,
        lose_people, lose_memories, lose_files, change_things, change_messages,
        new_other, lose_other, change_other,
    )
}  # fmt: skip


# -- what becomes of objects


RESTORED = [each.name for each in KINDS.values() if each.create and not each.key_given]


def broken_lives(sql: Callable[[str], list[tuple[Any, ...]]], snapshot_id: int) -> list[str]:
    """Objects of a snapshot that are not there under the keys they came back under, or no more
    the only ones who are.

    Args:
        sql: asks the mirror.
        snapshot_id: of the one Memori; its account's is the one before.
    """
    after = {
        (kind, old): new for kind, old, new in sql("select kind, old_key, new_key from key_map")
    }
    broken, ends = [], set()
    for kind in RESTORED:
        at = snapshot_id - (kind == "asset")
        then = sql(
            f"select key from change where kind = '{kind}' and snapshot_id <= {at}"
            f" and (superseded_in is null or superseded_in > {at}) and op <> 'deleted'"
        )
        there = {key for (key,) in sql(f"select key from {kind}")}
        for (key,) in then:
            end, seen = key, set[str]()
            while (kind, end) in after and end not in there | seen:
                seen.add(end)
                end = after[kind, end]
            if end not in there or (kind, end) in ends:
                broken.append(f"{kind} {key} ends as {end}")
            ends.add((kind, end))
    return broken
