"""A loss that was held back in part: what is older comes back with what it needed then."""

from typing import Any

import pytest
from workplace import Workplace, add_memory, restore, what_is_there

from sync.sandbox import Agent, World

NOTHING = {"create": 0, "update": 0, "delete": 0, "upload": 0}


@pytest.fixture
def guide(world: World) -> Agent:
    """An agent with so many contents that it cannot lose them unnoticed."""
    guide = world.agent("Guide")
    for number in range(14):
        add_memory(guide, f"m-more-{number}")
    return guide


def lose(work: Workplace, world: World, guide: Agent) -> None:
    """All contents, which are held back, and with them few enough people and files."""
    guide.memories.clear()
    del guide.people["p-anna-1"]
    world.assets.clear()
    work.backup(code=6)


@pytest.fixture
def before(work: Workplace, world: World, guide: Agent) -> dict[str, Any]:
    """What was there before the loss."""
    work.backup()
    before = what_is_there(world)
    lose(work, world, guide)
    assert [row[0] for row in work.sql("select count(*) from memory")] == [16]
    assert work.sql("select count(*) from asset") == [(0,)]
    return before


def test_a_content_comes_back_with_its_person_and_its_files(
    work: Workplace, world: World, before: dict[str, Any]
):
    result = restore(work, "--memori", "Guide")
    assert result["verified"] is True
    assert result["not_restorable"] == []
    assert what_is_there(world) == before
    assert restore(work, "--memori", "Guide")["steps"] == NOTHING


def test_one_content_alone_stays_private(work: Workplace, guide: Agent, before: dict[str, Any]):
    args = ("--memori", "Guide", "--kind", "memory", "--key", "m-tale-1")
    assert restore(work, *args)["verified"] is True
    (told,) = guide.memories.values()
    assert guide.people[told["receiverID"]]["name"] == "Anna"


def test_what_came_back_from_an_older_snapshot_is_not_spoiled_by_a_newer_one(
    work: Workplace, world: World, before: dict[str, Any]
):
    restore(work, "--memori", "Guide", "--snapshot", "2")
    assert restore(work, "--memori", "Guide")["steps"] == NOTHING
    assert what_is_there(world) == before


def test_a_drill_and_a_clone_know_it_too(work: Workplace, world: World, before: dict[str, Any]):
    world.add_agent("Twin")
    rehearsed = restore(work, "--memori", "Guide", "--drill")
    assert rehearsed["not_restorable"] == []
    assert restore(work, "--memori", "Guide", "--into", "Twin")["verified"] is True
    assert what_is_there(world)["Twin"]["memories"] == before["Guide"]["memories"]


def test_people_alone_are_as_they_were_seen(work: Workplace, guide: Agent, before: dict[str, Any]):
    args = ("--memori", "Guide", "--kind", "person")
    assert restore(work, *args)["steps"] == NOTHING
    assert "p-anna-1" not in guide.people


def test_a_content_that_was_deleted_stays_so_though_media_of_others_are_held_back(
    work: Workplace, world: World, guide: Agent
):
    (asset,) = world.assets.values()
    asset.document["engineMemoryID"] = "m-more-0"
    work.backup()
    del guide.memories["m-more-0"]
    world.assets.clear()
    lost = {key: each["media"] for key, each in guide.memories.items()}
    for each in guide.memories.values():
        each["media"] = []
    work.backup(code=6)
    restore(work, "--memori", "Guide")
    assert guide.memories.keys() == lost.keys()
    assert len(world.assets) == 1
    assert [len(each["media"]) for each in guide.memories.values()] == [*map(len, lost.values())]


def test_what_a_restore_brought_back_is_what_older_contents_mean(
    work: Workplace, world: World, guide: Agent
):
    work.backup()
    before = what_is_there(world)
    del guide.people["p-anna-1"]
    world.assets.clear()
    restore(work, "--memori", "Guide")
    work.backup("--kind", "person", "--kind", "asset")
    assert restore(work, "--memori", "Guide")["steps"] == NOTHING
    del guide.memories["m-tale-1"]
    guide.memories["m-more-3"]["media"].clear()
    assert restore(work, "--memori", "Guide")["verified"] is True
    assert what_is_there(world) == before


def test_a_person_that_comes_along_brings_the_picture_it_shows(
    work: Workplace, world: World, guide: Agent
):
    (name,) = world.assets
    shown = world.assets[name].document["assetURL"]
    for each in guide.memories.values():
        each["media"] = []
    guide.people["p-anna-1"]["information"] = f"as on {shown}"
    work.backup()
    before = what_is_there(world)
    lose(work, world, guide)
    assert restore(work, "--memori", "Guide")["verified"] is True
    assert what_is_there(world) == before
