"""Repair puts back what can be proven, and never takes away what is there only once."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from file_host import LARGE, FileHost
from workplace import Workplace, execute

from sync.sandbox import Sandbox, World

ANNA = "key = 'p-anna-1'"
PERSON = "kind = 'person' and key = 'p-anna-1'"


def left(outcome: Any) -> list[tuple[str, str, str]]:
    return [(each["what"], each["where"], each.get("why", "")) for each in outcome.json["left"]]


@pytest.mark.parametrize(
    "harm",
    [
        f"pragma foreign_keys = off; delete from change where {PERSON}",
        f"update change set op = 'deleted' where {PERSON}",
        f"update change set op = 'deleted', document = null, digest = null where {PERSON}",
        f"update change set superseded_in = snapshot_id where {PERSON}",
        f"update change set key = 'another' where {PERSON}",
    ],
)
def test_a_row_that_history_does_not_know_is_kept_and_said_so(work: Workplace, harm: str):
    work.first_backup()
    before = work.sql("select * from person")
    assert before
    for statement in harm.split("; "):
        execute(work, statement)
    outcome = work.run("repair", "--json")
    assert outcome.code == 4
    assert work.sql("select * from person") == before
    told = ("person", "p-anna-1", "history does not know it; the row is kept")
    assert told in left(outcome)
    assert "; the row is kept" in work.run("repair").out


def test_a_row_that_is_later_than_all_of_history_is_kept(work: Workplace, world: World):
    work.first_backup()
    world.agent("Guide").people["p-anna-1"] |= {
        "name": "Anna Maria",
        "lastChangeTimestamp": "2031-01-01T00:00:00Z",
    }
    work.backup()
    execute(work, f"delete from change where {PERSON} and superseded_in is null")
    execute(work, f"update change set superseded_in = null where {PERSON}")
    assert work.run("repair", "--json").code == 4
    assert work.sql(f"select name from person where {ANNA}") == [("Anna Maria",)]


def test_a_row_goes_only_if_history_saw_it_go_later_and_still_has_it(work: Workplace, world: World):
    work.first_backup()
    world.agent("Guide").people.pop("p-anna-1")
    work.backup()
    execute(
        work,
        "insert into person (source_id, key, change_id, document)"
        f" select source_id, key, id, document from change where {PERSON} and op = 'created'",
    )
    assert work.run("repair", "--json").json["left"] == []
    assert work.sql(f"select * from person where {ANNA}") == []


def test_columns_that_do_not_follow_are_written_from_the_row_s_own_document(
    work: Workplace, world: World
):
    work.first_backup()
    memory = world.agent("Guide").memories["m-hours-1"]
    memory["readOccurrences"] = 7
    work.backup()
    execute(work, "update memory set title = 'Mallory'")
    assert work.run("repair").code == 0
    found = work.sql("select title, read_occurrences from memory where key = 'm-hours-1'")
    assert found == [("Opening hours", 7)]


def test_without_a_mirror_there_is_nothing_to_repair_and_nothing_is_made(work: Workplace):
    outcome = work.run("repair")
    assert (outcome.code, outcome.out) == (10, "")
    assert "there is no mirror here yet" in outcome.err
    assert sorted(each.name for each in work.folder.iterdir()) == ["aisuru-sync.toml", "password"]


def test_a_database_that_holds_no_mirror_is_left_as_it_is(work: Workplace):
    (work.folder / "mirror.db").touch()
    assert work.run("repair").code == 10
    assert not work.files.exists()
    assert work.sql("select * from sqlite_master") == []


def blob_of(work: Workplace) -> Path:
    (blob,) = [each for each in (work.files / "sha256").rglob("*") if each.is_file()]
    return blob


def damage(blob: Path) -> bytes:
    good = blob.read_bytes()
    blob.write_bytes(good[:-1] + b"!")
    return good


def aside(work: Workplace) -> list[str]:
    return sorted(each.name for each in (work.files / "damaged").glob("*"))


def test_a_damaged_file_stays_in_its_place_until_there_is_a_better_one(
    work: Workplace, world: World
):
    work.first_backup()
    blob = blob_of(work)
    damage(blob)
    kept = blob.read_bytes()
    ((name, asset),) = world.assets.items()
    for harm, why in (
        (world.assets.clear, "the remote does not have it any more"),
        (
            lambda: world.assets.update({name: replace(asset, content=b"other")}),
            "the remote gives other bytes for it now",
        ),
    ):
        harm()
        outcome = work.run("repair", "--json")
        assert outcome.code == 4
        assert left(outcome) == [("file", f"asset/{name}", why)]
        assert blob.read_bytes() == kept
        assert aside(work) == []
        assert work.stored() == [blob], "nothing is kept of other bytes"
    assert f" ({why})\n0 repaired, 1 left; `aisuru-sync check`" in work.run("repair").out


def test_a_file_that_could_not_be_fetched_is_left_with_the_reason(
    work: Workplace, sandbox: Sandbox, world: World, host: FileHost
):
    media = world.agent("Guide").memories["m-hours-1"]["media"]
    media[1:] = [{**media[0], "mediumID": "x-film", "url": f"{host.url}/film.png"}]
    host.files["/film.png"] = LARGE * 2
    work.settle(sandbox, assets=host.url)
    work.backup()
    ((sha256,),) = work.sql(f"select sha256 from file where key = '{host.url}/film.png'")
    damage(work.files / "sha256" / sha256[:2] / sha256[2:])
    work.settle(sandbox, "file_mib = 1\n", assets=host.url)
    outcome = work.run("repair", "--json")
    assert outcome.code == 4
    why = "it could not be fetched: the file is larger than 1 MiB"
    assert left(outcome) == [("file", f"{host.url}/film.png", why)]
    assert f"({why})" in work.run("repair").out


def test_a_repair_that_cannot_reach_the_remote_tells_what_it_repaired(
    work: Workplace, sandbox: Sandbox
):
    work.first_backup()
    blob = blob_of(work)
    damage(blob)
    execute(work, "delete from localization_key")
    sandbox.stop()
    outcome = work.run("repair", "--json")
    assert outcome.code == outcome.json["exit_code"] == 5
    assert {each["what"] for each in outcome.json["repaired"]} == {"localization_key"}
    assert left(outcome)[0][2] == "it could not be fetched"
    assert outcome.json["error"]
    assert blob.exists()
    assert "not all was tried: " in work.run("repair").out


def test_a_sound_file_is_never_set_aside_whatever_history_says_of_its_size(work: Workplace):
    work.first_backup()
    blob = blob_of(work)
    good = blob.read_bytes()
    for table in ("change", "file"):
        where = "where kind = 'file'" if table == "change" else ""
        harm = "json_set(document, '$.size_bytes', 1)"
        execute(work, f"update {table} set document = {harm} {where}")
    outcome = work.run("repair", "--json")
    assert outcome.code == 4
    assert blob.read_bytes() == good
    assert aside(work) == []
    assert {each[0] for each in left(outcome)} == {"file"}
    assert len(left(outcome)) == 2, "the row of each of two sources"


def test_every_damaged_copy_is_kept_and_a_folder_in_the_way_too(work: Workplace):
    work.first_backup()
    blob = blob_of(work)
    sha256 = blob.parent.name + blob.name
    for _ in range(3):
        good = damage(blob)
        assert work.run("repair").code == 0
    blob.unlink()
    blob.mkdir()
    assert "is no file" in work.run("check").out
    assert work.run("repair").code == 0
    assert blob.read_bytes() == good
    assert aside(work) == [sha256, *(f"{sha256}.{n}" for n in (2, 3, 4))]


def test_a_folder_of_files_that_is_not_there_is_one_damage_and_is_not_made(
    work: Workplace, sandbox: Sandbox
):
    work.first_backup()
    gone = work.files.rename(work.folder / "elsewhere")
    sandbox.calls.clear()
    (found,) = work.run("check", "--json").json["damage"]
    assert found["where"].endswith("files")
    assert "check `files` in [storage]" in found["problem"]
    outcome = work.run("repair")
    assert outcome.code == 8
    assert "check `files` in [storage]" in outcome.err
    assert not work.files.exists()
    assert not sandbox.calls
    work.files.mkdir()
    assert work.run("repair").code == 0
    assert gone.exists()


def test_a_folder_without_any_file_is_one_damage_and_is_filled_again(work: Workplace, world: World):
    ((name, asset),) = world.assets.items()
    url = asset.document["assetURL"].replace(name, "0.png")
    more = asset.document | {"assetID": "0", "assetURL": url}
    world.assets["0.png"] = replace(asset, document=more, content=b"more")
    work.first_backup()
    shutil.rmtree(work.files)
    work.files.mkdir()
    (found,) = work.run("check", "--json").json["damage"]
    told = "the folder of 2 files has none of them; check `files` in [storage]"
    assert (found["where"], found["problem"].startswith(told)) == (str(work.files), True)
    assert work.run("repair").code == 0
    assert work.run("check", "--read-data").code == 0


def test_a_host_that_the_settings_do_not_allow_any_more_is_not_asked(
    work: Workplace, world: World, sandbox: Sandbox, host: FileHost
):
    host.files["/a.png"] = b"bytes of another host"
    work.settle(sandbox, assets=host.url)
    world.agent("Guide").memories["m-hours-1"]["media"][0]["url"] = f"{host.url}/a.png"
    world.assets.clear()
    work.backup()
    damage(blob_of(work))
    work.settle(sandbox)
    host.asked.clear()
    outcome = work.run("repair", "--json")
    assert outcome.code == 4
    assert left(outcome)[0][2] == "no place is left to fetch it from"
    assert not host.asked
    work.settle(sandbox, assets=host.url)
    assert work.run("repair").code == 0


def test_many_damages_are_told_as_the_first_ones_and_a_number(work: Workplace, world: World):
    memory = world.agent("Guide").memories["m-hours-1"]
    for n in range(30):
        key = f"m-more-{n}"
        world.agent("Guide").memories[key] = memory | {"memoryID": key, "media": []}
    work.backup()
    execute(work, "update memory set title = 'Mallory'")
    outcome = work.run("check")
    assert "and 12 more: 12 memory; --json tells all\n" in outcome.out
    assert len(outcome.out.splitlines()) == 22
    assert len(work.run("check", "--json").json["damage"]) == 32


@pytest.mark.parametrize("edit", ["", "Changed"])
def test_a_row_that_was_lost_is_known_again_by_the_next_backup(
    backed_up: Workplace, world: World, edit: str
):
    execute(backed_up, "delete from memory")
    if edit:
        world.agent("Guide").memories["m-hours-1"]["title"] = edit
    backed_up.backup()
    assert backed_up.run("check").code == 0
    ops = backed_up.sql("select op from change where kind = 'memory' order by id")
    assert [op for (op,) in ops] == ["created", "created", *(["updated"] if edit else [])]


def test_what_can_never_be_put_back_is_damage_until_no_snapshot_that_is_kept_saw_it(
    work: Workplace, world: World
):
    work.first_backup()
    (blob,) = work.stored()
    blob.unlink()
    world.assets.clear()
    world.agent("Guide").memories["m-hours-1"]["media"].clear()
    work.backup()
    assert work.run("repair").code == work.run("check").code == 4
    assert work.run("prune", "--keep-last", "1").code == 0
    assert work.run("check").code == 0
