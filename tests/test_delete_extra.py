"""`restore --delete-extra`: what was not there then goes, but no more than anyone would believe."""

import pytest
from workplace import Workplace, add_memory, add_people, restore, what_is_there, writes

from sync.sandbox import Agent, Asset, Fault, FaultSet, Sandbox, World


@pytest.fixture
def guide(world: World) -> Agent:
    return world.agent("Guide")


def test_what_was_not_there_goes_and_all_is_as_it_was(work: Workplace, world: World, guide: Agent):
    work.first_backup()
    before = what_is_there(world)
    add_people(guide, 2)
    add_memory(guide, "m-new")
    guide.memories["m-new"]["receiverID"] = "p-new-0"
    guide.memories["m-hours-1"]["media"] += [
        {"mediumID": "x-new", "url": None, "content": "new", "mimeType": "text/plain"}
    ]
    result = restore(work, "--delete-extra")
    assert result["verified"] is True
    # A medium goes with its memory.
    assert result["steps"]["delete"] == 4
    assert what_is_there(world) == before
    assert restore(work, "--delete-extra")["steps"]["delete"] == 0


def test_what_only_deletes_deletes_each_once_and_what_refers_to_others_first(
    work: Workplace, sandbox: Sandbox, guide: Agent
):
    work.first_backup()
    add_people(guide, 2)
    add_memory(guide, "m-new")
    sandbox.calls.clear()
    assert restore(work, "--delete-extra")["steps"]["delete"] == 3
    sent = [each for each in writes(sandbox) if each.startswith("DELETE")]
    assert [each.split("/")[3] for each in sent if "Session/" not in each] == [
        "Memory",
        "Person",
        "Person",
    ]


def test_without_being_told_to_it_deletes_nothing(work: Workplace, guide: Agent):
    work.first_backup()
    add_people(guide, 2)
    assert restore(work)["steps"]["delete"] == 0
    assert "p-new-0" in guide.people


def test_a_set_of_messages_is_cut_back_from_its_end(work: Workplace, world: World, guide: Agent):
    keys = guide.localization_keys
    for number in (1, 2):
        keys[f"HELLO_{number}"] = {"key": f"HELLO_{number}", "value": f"hello {number}"}
    work.first_backup()
    before = what_is_there(world)
    for number in (3, 4, 10):
        keys[f"HELLO_{number}"] = {"key": f"HELLO_{number}", "value": f"hello {number}"}
    keys["HELLO_1"]["value"] = "changed"
    assert restore(work, "--delete-extra")["verified"] is True
    assert what_is_there(world) == before


def test_the_last_key_of_a_set_stays_because_no_set_may_become_empty(work: Workplace, guide: Agent):
    work.first_backup()
    for number in (1, 2, 3):
        name = f"HELLO_{number}"
        guide.localization_keys[name] = {"key": name, "value": f"hello {number}"}
    assert restore(work, "--delete-extra")["steps"]["delete"] == 2
    assert "HELLO_1" in guide.localization_keys
    assert restore(work, "--delete-extra")["steps"]["delete"] == 0


def test_only_what_is_chosen_goes(work: Workplace, guide: Agent):
    work.first_backup()
    add_people(guide, 1)
    add_memory(guide, "m-new")
    restore(work, "--delete-extra", "--kind", "memory")
    assert "m-new" not in guide.memories
    assert "p-new-0" in guide.people


def test_uploaded_files_go_only_if_their_kind_is_named(work: Workplace, world: World, guide: Agent):
    work.first_backup()
    ((_, asset),) = world.assets.items()
    name = "22222222-aaaa-4bbb-8ccc-000000000009.png"
    facts = {"assetID": name[:-4], "assetURL": f"https://assets.memori.ai/api/v2/asset/{name}"}
    world.assets[name] = Asset({**asset.document, **facts}, asset.content + b"2")
    restore(work, "--delete-extra")
    assert name in world.assets
    restore(work, "--delete-extra", "--kind", "asset")
    assert name not in world.assets
    assert len(world.assets) == 1


def test_more_than_anyone_would_believe_stays_until_a_human_agrees(
    work: Workplace, sandbox: Sandbox, guide: Agent
):
    work.first_backup()
    add_people(guide, 30)
    guide.memories["m-hours-1"]["title"] = "Changed"
    result = restore(work, "--delete-extra", code=6)
    assert "30 of 32 would be deleted" in result["held"]["person"]
    assert "--accept-deletions person=30" in result["held"]["person"]
    assert guide.memories["m-hours-1"]["title"] != "Changed"
    assert not [each for each in writes(sandbox) if each.startswith("DELETE")]
    again = restore(work, "--delete-extra", "--accept-deletions", "person=29", code=6)
    assert "and not 29, as you said" in again["held"]["person"]
    restore(work, "--delete-extra", "--accept-deletions", "person=30")
    assert len(guide.people) == 2


def test_what_a_snapshot_did_not_see_whole_says_nothing_of_what_is_too_much(
    work: Workplace, guide: Agent
):
    work.backup("--kind", "person")
    add_people(guide, 1)
    add_memory(guide, "m-new")
    result = restore(work, "--delete-extra", code=3)
    assert "m-new" in guide.memories
    assert "p-new-0" not in guide.people
    assert "did not see it" in result["held"]["memory"]
    plan = work.run("restore", "--delete-extra", "--dry-run").out
    assert "Nothing is deleted of:" in plan


def test_nothing_goes_as_long_as_something_did_not_come_back(
    serve, workplace: Workplace, world: World, guide: Agent
):
    refusal = '{"resultCode": 422, "resultMessage": "no"}'
    faults = FaultSet([Fault("/memori/v2/person/*", "POST", nth=1, status=200, body=refusal)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        del guide.people["p-anna-1"]
        guide.memories["m-tale-1"]["receiverID"] = None
        add_memory(guide, "m-new")
        result = restore(workplace, "--delete-extra", code=3)
        assert "m-new" in guide.memories
        reasons = {each["key"]: each["reason"] for each in result["failures"]}
        assert reasons["m-new"] == "not before all else is done"
        assert restore(workplace, "--delete-extra")["verified"] is True
    assert "m-new" not in guide.memories


@pytest.mark.parametrize(
    "args",
    [
        ("--delete-extra", "--kind", "person", "--key", "p-anna-1"),
        ("--accept-deletions", "person=1"),
        ("--delete-extra", "--accept-deletions", "nobody=1"),
        ("--delete-extra", "--accept-deletions", "person=1", "--accept-deletions", "person=2"),
    ],
)
def test_what_makes_no_sense_is_refused(work: Workplace, args: tuple[str, ...]):
    work.first_backup()
    assert work.run("restore", "--yes", *args).code == 2
