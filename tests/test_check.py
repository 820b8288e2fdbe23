"""Check finds whatever is damaged; repair puts back what can be had, and invents nothing."""

import errno
import os
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workplace import Workplace, execute

from sync.check import is_due
from sync.kinds import KINDS
from sync.mirror.audit import blobs as blobs_of
from sync.mirror.mirror import Mirror
from sync.sandbox import Asset, Sandbox, World


def blobs(work: Workplace) -> list[Path]:
    return [each for each in (work.files / "sha256").rglob("*") if each.is_file()]


@pytest.fixture
def well_filled(workplace: Workplace, sandbox: Sandbox, world: World, database: str) -> Workplace:
    """A mirror, on either database, of people `p-0` to `p-4` and pictures `0.png` to `4.png`, too.

    So many harms can be done in one.
    """
    people = world.agent("Guide").people
    ((name, asset),) = world.assets.items()
    for n in range(5):
        people[f"p-{n}"] = people["p-anna-1"] | {"personID": f"p-{n}", "tag": f"{n}"}
        url = asset.document["assetURL"].replace(name, f"{n}.png")
        document = asset.document | {"assetID": f"{n}", "assetURL": url}
        world.assets[f"{n}.png"] = Asset(document, asset.content + b"%d" % n)
    workplace.database = database
    workplace.settle(sandbox)
    workplace.first_backup()
    return workplace


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    place = random.Random(5).randrange(len(data))
    data[place] ^= 1 << place % 8
    path.write_bytes(data)


def problems(work: Workplace, *args: str) -> list[tuple[str, str]]:
    outcome = work.run("check", "--json", *args)
    found = [(each["what"], each["problem"]) for each in outcome.json["damage"]]
    assert outcome.code == outcome.json["exit_code"] == (4 if found else 0)
    return found


def test_one_flipped_bit_is_found_when_files_are_read_and_repaired(backed_up: Workplace):
    (blob,) = blobs(backed_up)
    good = blob.read_bytes()
    flip_a_bit(blob)
    assert problems(backed_up) == []
    sha256 = blob.parent.name + blob.name
    told = f"sha256/{blob.parent.name}/{blob.name} has other bytes than were stored"
    assert problems(backed_up, "--read-data") == [("file", told)]

    outcome = backed_up.run("repair")

    assert outcome.code == 0
    assert f": {told}\n1 repaired, 0 left\n" in outcome.out
    assert blob.read_bytes() == good
    assert (backed_up.files / "damaged" / sha256).read_bytes() != good
    assert problems(backed_up, "--read-data") == []


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: os.truncate(path, 3)])
def test_a_lost_or_cut_file_is_found_and_repaired(work: Workplace, harm: Any):
    work.first_backup()
    (blob,) = blobs(work)
    harm(blob)
    assert len(problems(work)) == 1
    assert work.run("repair", "--json").json["left"] == []
    assert problems(work, "--read-data") == []


def test_bytes_that_the_remote_has_not_any_more_are_left_and_said_so(work: Workplace, world: World):
    work.first_backup()
    (blob,) = blobs(work)
    flip_a_bit(blob)
    ((_, asset),) = world.assets.items()
    asset.content += b"other"

    outcome = work.run("repair", "--json")

    assert outcome.code == 4
    assert outcome.json["repaired"] == []
    assert [each["what"] for each in outcome.json["left"]] == ["file"]
    assert blob.exists()


def test_a_file_of_the_past_is_checked_and_fetched_again_too(work: Workplace, world: World):
    work.first_backup()
    (blob,) = blobs(work)
    guide = world.agent("Guide")
    guide.memories["m-hours-1"]["media"] = []
    ((name, asset),) = world.assets.items()
    del world.assets[name]
    work.backup()
    assert work.sql("select count(*) from file") == [(0,)]
    flip_a_bit(blob)
    assert len(problems(work, "--read-data")) == 1
    world.assets[name] = asset
    assert work.run("repair").code == 0
    assert problems(work, "--read-data") == []


def test_rows_that_do_not_follow_from_history_are_written_again(well_filled: Workplace):
    before = well_filled.sql("select key, document from person order by key")
    harms = {
        "p-0": "update person set name = 'Mallory' where key = 'p-0'",
        "p-1": "update person set document = '{}' where key = 'p-1'",
        "m-tale-1": "update memory set document = 'no JSON' where key = 'm-tale-1'",
        "GIVER_PRESENTATION": "delete from localization_key where key = 'GIVER_PRESENTATION'",
        "asset/0.png": "update file set status = 'missing' where key = 'asset/0.png'",
    }
    for harm in harms.values():
        execute(well_filled, harm)
    damage = well_filled.run("check", "--json").json["damage"]
    assert {each["where"] for each in damage} == set(harms)
    outcome = well_filled.run("repair")
    assert outcome.code == 0, outcome
    assert problems(well_filled) == []
    assert well_filled.sql("select key, document from person order by key") == before


def test_a_version_in_history_that_is_not_what_was_seen_cannot_be_repaired(backed_up: Workplace):
    for table in ("change", "person"):
        where = "where kind = 'person'" if table == "change" else ""
        execute(backed_up, f"update {table} set document = '{{}}' {where}")
    outcome = backed_up.run("repair", "--json")
    assert outcome.code == 4
    assert {each["what"] for each in outcome.json["left"]} == {"person"}


def test_what_no_blob_is_called_never_becomes_a_path(work: Workplace):
    work.first_backup()
    outside = work.files / "mine"
    outside.write_bytes(b"mine")
    name = "json_set(document, '$.sha256', '..mine')"
    execute(work, f"update change set document = {name} where kind = 'file'")
    execute(work, f"update file set document = {name}")
    outcome = work.run("repair", "--json")
    assert outcome.code == 4
    assert "what is stored of it has no such name" in outcome.out
    assert outside.read_bytes() == b"mine"


def test_a_repair_that_finds_nothing_to_fetch_asks_no_remote(work: Workplace, sandbox: Sandbox):
    work.first_backup()
    sandbox.calls.clear()
    outcome = work.run("repair")
    assert (outcome.code, outcome.out) == (0, "no damage\n")
    assert not sandbox.calls


def test_check_reads_as_many_files_as_it_is_told_but_one_at_least(work: Workplace):
    work.first_backup()
    assert work.run("check", "--json").json["blobs_read"] == 0
    assert work.run("check", "--json", "--read-data").json["blobs_read"] == 1
    assert work.run("check", "--read-data=0.0001", "--json").json["blobs_read"] == 1
    assert work.run("check", "--read-data=nan").code == 2
    assert work.run("check", "--read-data=101").code == 2


NO_DOCUMENTS = ("[]", "no JSON", '"text"', "", b"\0\xff")


@pytest.mark.parametrize("table", ["change", "file", "person"])
def test_no_text_in_a_document_s_place_keeps_check_or_repair_from_their_work(
    well_filled: Workplace, database: str, table: str
):
    harmed = set()
    for n, text in enumerate(NO_DOCUMENTS):
        if isinstance(text, bytes) and "sqlite" not in database:
            break  # PostgreSQL refuses bytes in a text.
        value = f"x'{text.hex()}'" if isinstance(text, bytes) else f"'{text}'"
        keys = {"person": f"p-{n}", "file": f"asset/{n}.png"}
        for kind in keys if table == "change" else [table]:
            where = f"key = '{keys[kind]}'" + (f" and kind = '{kind}'" * (table == "change"))
            execute(well_filled, f"update {table} set document = {value} where {where}")
            harmed.add(keys[kind])
    (blob,) = [each for each in blobs(well_filled) if each.stat().st_size == 508]
    flip_a_bit(blob)

    damage = well_filled.run("check", "--read-data", "--json").json["damage"]

    assert {each["where"] for each in damage if "bytes" not in each["problem"]} == harmed
    assert len([each for each in damage if "has other bytes" in each["problem"]]) == 1
    assert well_filled.run("repair").code == 0
    assert problems(well_filled, "--read-data") == []


@pytest.mark.parametrize("text", ["[]", "no JSON"])
def test_a_history_without_any_document_is_put_right_and_then_tells_which_files_are_not(
    backed_up: Workplace, text: str
):
    execute(backed_up, f"update change set document = '{text}'")
    (blob,) = blobs(backed_up)
    flip_a_bit(blob)
    assert problems(backed_up, "--read-data") != []
    assert backed_up.run("repair").code == 0
    assert problems(backed_up, "--read-data") == []


def test_one_broken_version_of_a_file_hides_no_other_file(backed_up: Workplace):
    (blob,) = blobs(backed_up)
    flip_a_bit(blob)
    execute(
        backed_up,
        "insert into change (source_id, snapshot_id, kind, key, op, document)"
        " select source_id, snapshot_id, kind, 'another', op, 'no JSON'"
        " from change where kind = 'file'",
    )
    told = [problem for _, problem in problems(backed_up, "--read-data")]
    assert any("has other bytes" in each for each in told)


def test_a_file_whose_size_history_does_not_say_is_checked_all_the_same(work: Workplace):
    work.first_backup()
    less = "json_remove(document, '$.size_bytes')"
    execute(work, f"update change set document = {less} where kind = 'file'")
    assert ("file", "a version of it in history is not what was seen then") in problems(work)
    assert work.run("repair").code == 0


@pytest.mark.parametrize("name", ["person", "file", "change", "snapshot_kind"])
def test_a_table_that_is_not_there_is_damage(backed_up: Workplace, name: str):
    cascade = "" if "sqlite" in backed_up.database else "cascade"
    execute(backed_up, f"drop table {name} {cascade}")
    found = problems(backed_up)
    assert any(name in problem for _, problem in found), found


def test_no_transaction_stays_open_while_files_are_read(backed_up: Workplace):
    database = backed_up.database.replace("///mirror", f"///{backed_up.folder}/mirror")
    mirror = Mirror(database, KINDS)
    for _ in blobs_of(mirror):
        assert mirror.engine.pool.checkedout() == 0
    mirror.close()


def cannot(*_: Any, **__: Any) -> Any:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def test_what_cannot_be_read_is_called_so_and_not_changed(work: Workplace, monkeypatch: Any):
    work.first_backup()
    stat = Path.stat

    def guarded(path: Path, **options: Any) -> Any:
        return cannot() if "sha256" in path.parts else stat(path, **options)

    for name, harm in (("sync.files.os.access", lambda *_: False), ("pathlib.Path.stat", guarded)):
        with monkeypatch.context() as patch:
            patch.setattr(name, harm)
            ((_, problem),) = problems(work)
            assert problem.endswith(" cannot be read: Permission denied")
    with monkeypatch.context() as patch:
        patch.setattr("sync.files.hashlib.file_digest", cannot)
        ((_, problem),) = problems(work, "--read-data")
        assert problem.endswith(" cannot be read: Permission denied")
    (blob,) = blobs(work)
    if os.geteuid() == 0:
        pytest.skip("root may read whatever it likes")
    for closed in (blob, blob.parent, work.files):
        mode = closed.stat().st_mode
        closed.chmod(0)
        try:
            assert "cannot be read: Permission denied" in work.run("check").out
            assert work.run("repair").code in (0, 4, 8)
        finally:
            if closed.exists():
                closed.chmod(mode)


def test_history_that_is_missing_or_cannot_be_so_is_damage(well_filled: Workplace):
    gap = "its history has a gap, or does not end"
    order = "a version of it in history cannot follow the one before"
    harms = {
        ("memory", "snapshot 2", "it counted 2 created"):
            "delete from memory where key = 'm-tale-1';"
            "delete from change where key = 'm-tale-1'",
        ("file", "snapshot 1", "it saw 6 files; history has 5"):
            "delete from file where key = 'asset/0.png';"
            "delete from change where key = 'asset/0.png'",
        ("medium", "snapshot 2", "what it counted is not there"):
            "delete from snapshot_kind where kind = 'medium'",
        ("localization_key", "snapshot 2", "it counted 99 created"):
            "update snapshot_kind set created = 99 where kind = 'localization_key'",
        ("database", "snapshot 1", "its status is 'splendid'"):
            "update snapshot set status = 'splendid' where id = 1",
        ("asset", "snapshot 1", "its status is 'splendid'"):
            "update snapshot_kind set status = 'splendid' where kind = 'asset'",
        ("person", "p-0", gap):
            "delete from person where key = 'p-0';"
            "update change set superseded_in = snapshot_id where key = 'p-0'",
        ("person", "p-1", order):
            "delete from person where key = 'p-1';"
            "update change set op = 'deleted' where key = 'p-1'",
        ("person", "p-2", order): "update change set op = 'updated' where key = 'p-2'",
        ("person", "p-3", "its row is not of its last change"):
            "update change set source_id = 3 - source_id where key = 'p-3'",
    }  # fmt: skip
    for harm in harms.values():
        for statement in harm.split(";"):
            execute(well_filled, statement)
    damage = well_filled.run("check", "--json").json["damage"]
    for what, where, problem in harms:
        told = [
            each["problem"] for each in damage if (each["what"], each["where"]) == (what, where)
        ]
        assert any(each.startswith(problem) for each in told), (what, where, problem, told)
    assert well_filled.run("repair").code == 4


def test_versions_of_an_object_form_a_chain(work: Workplace, world: World):
    anna = world.agent("Guide").people["p-anna-1"]
    for name in ("Anna", "Anna Maria", "Maria"):
        anna |= {"name": name, "lastChangeTimestamp": f"2031-01-01T00:00:{len(name):02}Z"}
        work.backup()
    assert problems(work) == []
    (first,), (second,), (third,) = work.sql("select id from change where key = 'p-anna-1'")
    other = "(select min(id) from snapshot)"
    execute(work, "delete from person where key = 'p-anna-1'")
    mirror = (work.folder / "mirror.db").read_bytes()
    for harm in (
        f"delete from change where id = {first}",
        f"delete from change where id = {second}",
        f"delete from change where id = {third}",
        f"update change set superseded_in = null where id = {first}",
        f"update change set superseded_in = {other} where id = {second}",
    ):
        (work.folder / "mirror.db").write_bytes(mirror)
        execute(work, harm)
        assert len(problems(work)) >= 1, harm
        assert work.run("repair").code == 4, harm


def test_the_document_of_another_object_is_damage_and_is_never_copied(backed_up: Workplace):
    other = "(select document from change where key = 'p-anna-1')"
    execute(backed_up, f"update change set document = {other} where kind = 'person'")
    before = backed_up.sql("select key, document from person order by key")
    assert len(problems(backed_up)) == 1
    assert backed_up.run("repair").code == 0
    assert backed_up.sql("select key, document from person order by key") == before
    execute(backed_up, "delete from person where key <> 'p-anna-1'")
    execute(backed_up, f"update change set document = {other} where kind = 'person'")
    assert backed_up.run("repair").code == 4
    assert backed_up.sql("select key from person") == [("p-anna-1",)]


SHA256 = st.integers(0, 2**256 - 1).map(lambda number: f"{number:064x}")


@given(SHA256, st.floats(0, 10_000), st.sampled_from([1, 7, 30, 1 / 24]))
def test_a_tenth_at_a_time_comes_round_whatever_lies_between_two_checks(sha256, first, step):
    assert any(is_due(sha256, 10, first + step * n) for n in range(60))


@given(SHA256, st.floats(0, 10_000))
def test_a_hundred_percent_are_all_and_none_are_none(sha256, day):
    assert is_due(sha256, 100, day)
    assert not is_due(sha256, 0, day)
