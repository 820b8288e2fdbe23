"""Files that documents refer to and no list of the account shows: a co-author uploaded them."""

from collections.abc import Callable
from typing import Any

import pytest
from robber import Robber
from workplace import Workplace, execute, fill, restore, writes

from sync.sandbox import Agent, Asset, Fault, FaultSet, Sandbox, World

FILE = "77777777-aaaa-4bbb-8ccc-000000000007"
URL = f"https://assets.memori.ai/api/v2/asset/{FILE}.png"
CONTENT = b"\x89PNG\r\n\x1a\n of a co-author"
NOTHING = {"create": 0, "update": 0, "delete": 0, "upload": 0}


@pytest.fixture
def guide(world: World) -> Agent:
    return world.agent("Guide")


@pytest.fixture(autouse=True)
def theirs(world: World, guide: Agent) -> Asset:
    """A co-author's picture, shown by a medium and inside a text."""
    document = {
        "assetID": FILE,
        "assetURL": URL,
        "mimeType": "image/png",
        "originalFileName": "what they call it",
        "memoriID": guide.memori_id,
        "engineMemoryID": None,
    }
    asset = world.assets[f"{FILE}.png"] = Asset(document, CONTENT, is_listed=False)
    (medium,) = guide.memories["m-hours-1"]["media"]
    shown = {**medium, "mediumID": "x-theirs", "url": URL, "title": "Portal"}
    guide.memories["m-tale-1"]["media"].append(shown)
    text = f'<img src="{URL.replace(".png", "@32x32.png")}">'
    guide.memories["m-tale-1"]["answers"][0]["text"] = text
    return asset


def lose(world: World) -> None:
    del world.assets[f"{FILE}.png"]


def again(world: World) -> list[dict[str, Any]]:
    """What was made of it."""
    return [
        asset.document
        for name, asset in world.assets.items()
        if asset.content == CONTENT and name != f"{FILE}.png"
    ]


def shown(agent: Agent) -> tuple[str, str]:
    """The URL in the medium and the text that holds it."""
    (tale,) = [each for each in agent.memories.values() if each["title"] == "The bell"]
    (medium,) = tale["media"]
    return medium["url"], tale["answers"][0]["text"]


def check_that_all_points_to(url: str, agent: Agent) -> None:
    stem = url.removesuffix(".png")
    assert shown(agent) == (url, f'<img src="{stem}@32x32.png">')


def test_a_coauthors_file_that_is_gone_is_uploaded_from_its_stored_bytes(
    backed_up: Workplace, sandbox: Sandbox, world: World, guide: Agent
):
    lose(world)
    result = restore(backed_up)
    assert result["verified"] is True
    assert result["steps"] == {**NOTHING, "update": 2, "upload": 1}
    (made,) = again(world)
    assert made["memoriID"] == guide.memori_id
    assert made["originalFileName"] == "Portal"
    check_that_all_points_to(made["assetURL"], guide)
    sandbox.calls.clear()
    assert restore(backed_up, "--snapshot", "2")["steps"] == NOTHING
    assert writes(sandbox) == []
    assert backed_up.run("check").code == 0


def test_a_coauthors_file_that_is_there_stays_as_it_is_whatever_else_is_lost(
    work: Workplace, sandbox: Sandbox, world: World, guide: Agent, theirs: Asset
):
    work.first_backup()
    before = dict(theirs.document)
    assert restore(work)["steps"] == NOTHING
    guide.memories["m-tale-1"]["media"].clear()
    guide.memories["m-tale-1"]["answers"][0]["text"] = "nothing to see"
    assert restore(work)["steps"] == {**NOTHING, "create": 1, "update": 1}
    check_that_all_points_to(URL, guide)
    assert restore(work, "--delete-extra", "--kind", "asset")["steps"] == NOTHING
    assert theirs.document == before
    assert again(world) == []
    assert not [each for each in writes(sandbox) if "/Asset/" in each]


def test_a_file_that_is_lost_with_all_that_referred_to_it_comes_back_with_it(
    work: Workplace, world: World, guide: Agent
):
    work.first_backup()
    lose(world)
    del guide.memories["m-tale-1"]
    work.backup()
    result = restore(work, "--snapshot", "2")
    assert (result["verified"], result["steps"]["upload"]) == (True, 1)
    (made,) = again(world)
    check_that_all_points_to(made["assetURL"], guide)
    assert restore(work, "--snapshot", "2")["steps"] == NOTHING


def test_a_part_brings_the_file_it_shows_and_another_part_does_not(
    work: Workplace, world: World, guide: Agent
):
    work.first_backup()
    lose(world)
    guide.memories.clear()
    assert restore(work, "--kind", "memory", "--key", "m-hours-1")["steps"]["upload"] == 0
    assert restore(work, "--kind", "memory", "--key", "m-tale-1")["steps"]["upload"] == 1
    check_that_all_points_to(again(world)[0]["assetURL"], guide)


def test_what_was_made_of_it_stands_for_it_even_if_it_is_back_and_is_made_again_if_lost(
    work: Workplace, world: World, guide: Agent, theirs: Asset
):
    work.first_backup()
    lose(world)
    restore(work)
    (first,) = again(world)
    world.assets[f"{FILE}.png"] = theirs
    assert restore(work, "--snapshot", "2")["steps"] == NOTHING
    lose(world)
    del world.assets[first["assetURL"].rpartition("/")[2]]
    assert restore(work, "--snapshot", "2")["verified"] is True
    (second,) = again(world)
    check_that_all_points_to(second["assetURL"], guide)
    assert restore(work, "--snapshot", "2")["steps"] == NOTHING


def test_of_bytes_that_are_not_stored_it_is_told_only_if_they_are_not_there_either(
    serve: Callable[..., Sandbox], workplace: Workplace, world: World, guide: Agent
):
    faults = FaultSet([Fault(f"/api/v2/asset/{FILE}*", nth=1, status=500, body="<html>")])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.backup(code=3)
        faults.check()
        del guide.memories["m-tale-1"]
        shown = restore(workplace, "--snapshot", "2", "--dry-run")
        assert (shown["steps"]["create"], shown["not_restorable"]) == (2, [])
        lose(world)
        result = restore(workplace, "--snapshot", "2")
    reason = "its file was never stored"
    assert result["not_restorable"] == [{"kind": "asset", "key": FILE, "reason": reason}]
    check_that_all_points_to(URL, guide)


def test_a_file_that_was_never_there_is_named(work: Workplace, world: World, guide: Agent):
    lose(world)
    work.backup(code=3)
    result = restore(work)
    reason = "its file was never stored"
    assert result["not_restorable"] == [{"kind": "asset", "key": FILE, "reason": reason}]
    assert result["steps"] == NOTHING
    check_that_all_points_to(URL, guide)


def test_a_file_of_which_nothing_is_said_is_left_alone(
    serve: Callable[..., Sandbox], workplace: Workplace, world: World, guide: Agent
):
    page = {"status": 404, "body": "<html>moved</html>"}
    with serve(world) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
    faults = FaultSet([Fault(f"/api/v2/asset/{FILE}*", **page)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        assert restore(workplace)["steps"] == NOTHING
    faults.check()
    check_that_all_points_to(URL, guide)


def test_another_agent_shows_the_same_file_or_one_of_its_own_if_it_is_gone(
    work: Workplace, world: World, guide: Agent
):
    twin, third = world.add_agent("Twin"), world.add_agent("Third")
    work.first_backup()
    clone = ("--memori", "Guide", "--into")
    restore(work, *clone, "Twin")
    check_that_all_points_to(URL, twin)
    lose(world)
    assert restore(work, *clone, "Third")["verified"] is True
    (made,) = again(world)
    assert made["memoriID"] == third.memori_id
    check_that_all_points_to(made["assetURL"], third)
    check_that_all_points_to(URL, guide)
    assert restore(work, *clone, "Third")["steps"] == NOTHING


def test_a_file_that_only_sessions_of_the_first_agent_open_is_made_for_the_other(
    work: Workplace, world: World, theirs: Asset
):
    theirs.document["engineMemoryID"] = "m-tale-1"
    twin = world.add_agent("Twin")
    work.first_backup()
    assert restore(work, "--memori", "Guide")["steps"] == NOTHING
    assert restore(work, "--memori", "Guide", "--into", "Twin")["verified"] is True
    (made,) = again(world)
    check_that_all_points_to(made["assetURL"], twin)


@pytest.mark.parametrize(
    "trouble", ["half an answer", "a page that is not found", "an error before"]
)
def test_a_lost_answer_leaves_one_upload(workplace: Workplace, world: World, trouble: str):
    robber = Robber({})
    with Sandbox(world, middleware=robber.wrap) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
        lose(world)
        robber.rob({1: trouble})
        outcome = workplace.run("restore", "--yes", "--json")
        assert outcome.code in (0, 3), outcome
        restore(workplace, "--snapshot", "2")
        assert restore(workplace, "--snapshot", "2")["steps"] == NOTHING
    (made,) = again(world)
    check_that_all_points_to(made["assetURL"], world.agent("Guide"))


@pytest.mark.parametrize("is_there", [True, False])
def test_a_drill_tells_what_will_be(
    work: Workplace, sandbox: Sandbox, world: World, guide: Agent, *, is_there: bool
):
    fill(world, world.add_agent("Other"))
    work.first_backup()
    guide.memories["m-tale-1"]["media"].clear()
    if not is_there:
        lose(world)
    rehearsed = work.run("restore", "--drill", "--json", "--memori", "Guide").json
    assert writes(sandbox) == []
    done = restore(work, "--memori", "Guide")
    for name in ("steps", "done", "failed", "not_restorable", "verified"):
        assert rehearsed[name] == done[name], name
    assert done["steps"]["upload"] == (0 if is_there else 1)


@pytest.mark.parametrize("into", [(), ("--into", "Twin")])
def test_a_file_of_the_accounts_own_that_was_deleted_before_stays_deleted(
    work: Workplace, world: World, theirs: Asset, into: tuple[str, ...]
):
    theirs.is_listed = True
    world.add_agent("Twin")
    work.first_backup()
    lose(world)
    work.backup()
    args = ("--memori", "Guide", *into)
    rehearsed = work.run("restore", "--drill", "--json", *args).json
    result = restore(work, *args)
    assert rehearsed["steps"] == result["steps"]
    assert again(world) == []
    assert restore(work, *args)["steps"] == NOTHING
    check_that_all_points_to(URL, world.agent("Twin" if into else "Guide"))


def test_a_file_whose_own_record_is_damaged_is_left_alone(
    work: Workplace, world: World, theirs: Asset
):
    theirs.is_listed = True
    work.first_backup()
    harm = "update change set document = json_set(document, '$.mimeType', 'x')"
    execute(work, f"{harm} where kind = 'asset'")
    world.assets.clear()
    result = restore(work, code=3)
    assert result["steps"] == NOTHING
