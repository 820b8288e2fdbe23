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
from sync.sandbox import Sandbox, World


def blobs(work: Workplace) -> list[Path]:
    return [each for each in (work.files / "sha256").rglob("*") if each.is_file()]


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
    work.backup()
    (blob,) = blobs(work)
    harm(blob)
    assert len(problems(work)) == 1
    assert work.run("repair", "--json").json["left"] == []
    assert problems(work, "--read-data") == []


def test_bytes_that_the_remote_has_not_any_more_are_left_and_said_so(work: Workplace, world: World):
    work.backup()
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
    work.backup()
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


@pytest.mark.parametrize(
    "harm",
    [
        "update person set name = 'Mallory'",
        "update person set document = '{}'",
        "update memory set document = 'no JSON'",
        "delete from localization_key",
        "update file set status = 'missing'",
    ],
)
def test_rows_that_do_not_follow_from_history_are_written_again(backed_up: Workplace, harm: str):
    before = backed_up.sql("select key, document from person order by key")
    execute(backed_up, harm)
    assert problems(backed_up) != []
    calls = backed_up.run("repair")
    assert calls.code == 0, calls
    assert problems(backed_up) == []
    assert backed_up.sql("select key, document from person order by key") == before


def test_a_version_in_history_that_is_not_what_was_seen_cannot_be_repaired(backed_up: Workplace):
    for table in ("change", "person"):
        where = "where kind = 'person'" if table == "change" else ""
        execute(backed_up, f"update {table} set document = '{{}}' {where}")
    outcome = backed_up.run("repair", "--json")
    assert outcome.code == 4
    assert {each["what"] for each in outcome.json["left"]} == {"person"}


def test_what_no_blob_is_called_never_becomes_a_path(work: Workplace):
    work.backup()
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
    work.backup()
    sandbox.calls.clear()
    outcome = work.run("repair")
    assert (outcome.code, outcome.out) == (0, "no damage\n")
    assert not sandbox.calls


def test_check_reads_as_many_files_as_it_is_told_but_one_at_least(work: Workplace):
    work.backup()
    assert work.run("check", "--json").json["blobs_read"] == 0
    assert work.run("check", "--json", "--read-data").json["blobs_read"] == 1
    assert work.run("check", "--read-data=0.0001", "--json").json["blobs_read"] == 1
    assert work.run("check", "--read-data=nan").code == 2
    assert work.run("check", "--read-data=101").code == 2


@pytest.mark.parametrize("table", ["change", "file", "person"])
@pytest.mark.parametrize("text", ["[]", "no JSON", '"text"', "", "bytes"])
def test_no_text_in_a_document_s_place_keeps_check_or_repair_from_their_work(
    backed_up: Workplace, table: str, text: str
):
    if text == "bytes" and "sqlite" not in backed_up.database:
        pytest.skip("PostgreSQL refuses bytes in a text")
    value = "x'00ff'" if text == "bytes" else f"'{text}'"
    execute(backed_up, f"update {table} set document = {value}")
    (blob,) = blobs(backed_up)
    flip_a_bit(blob)
    found = problems(backed_up, "--read-data")
    assert found
    if table != "change":
        assert any("has other bytes" in problem for _, problem in found)
    assert backed_up.run("repair").code == (4 if table == "change" else 0)
    if table != "change":
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
    work.backup()
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


def cannot(*_: Any, **__: Any) -> Any:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def test_what_cannot_be_read_is_called_so_and_not_changed(work: Workplace, monkeypatch: Any):
    work.backup()
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


@pytest.mark.parametrize(
    "harm",
    [
        "delete from person; delete from change where kind = 'person'",
        "delete from file; delete from change where kind = 'file'",
        "delete from snapshot_kind",
        "update snapshot_kind set created = 7 where kind = 'person'",
        "update snapshot set status = 'splendid' where id = 1",
        "update snapshot_kind set status = 'splendid'",
        "update change set superseded_in = snapshot_id where kind = 'person'",
        "update change set op = 'deleted' where kind = 'person'",
        "update change set op = 'updated' where kind = 'person'",
        "update change set source_id = 3 - source_id where kind = 'person'",
    ],
)
def test_history_that_is_missing_or_cannot_be_so_is_damage(backed_up: Workplace, harm: str):
    for statement in harm.split("; "):
        execute(backed_up, statement)
    assert problems(backed_up) != []
    assert backed_up.run("repair").code == 4


@pytest.mark.parametrize(
    "harm",
    [
        "delete from change where id = {first}",
        "delete from change where id = {second}",
        "delete from change where id = {third}",
        "update change set superseded_in = null where id = {first}",
        "update change set superseded_in = {other} where id = {second}",
    ],
)
def test_versions_of_an_object_form_a_chain(work: Workplace, world: World, harm: str):
    anna = world.agent("Guide").people["p-anna-1"]
    for name in ("Anna", "Anna Maria", "Maria"):
        anna |= {"name": name, "lastChangeTimestamp": f"2031-01-01T00:00:{len(name):02}Z"}
        work.backup()
    assert problems(work) == []
    (first,), (second,), (third,) = work.sql("select id from change where key = 'p-anna-1'")
    other = "(select min(id) from snapshot)"
    execute(work, "delete from person where key = 'p-anna-1'")
    execute(work, harm.format(first=first, second=second, third=third, other=other))
    assert len(problems(work)) >= 1
    assert work.run("repair").code == 4


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
