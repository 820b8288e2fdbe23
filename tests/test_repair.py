"""Repair puts back what can be proven, and never takes away what is there only once."""

from typing import Any

import pytest
from test_check import backed_up, execute  # noqa: F401
from workplace import Workplace

from sync.sandbox import World

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
    work.backup()
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
    work.backup()
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
    work.backup()
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
    work.backup()
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
