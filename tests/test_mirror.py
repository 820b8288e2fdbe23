"""The mirror on SQLite and PostgreSQL: what changed is found, kept and projected alike."""

import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sync.check import check
from sync.document import canonical
from sync.errors import BadAnswer, Locked, StorageError, UsageError
from sync.files import FileStore
from sync.kinds import KINDS
from sync.mirror import jobs
from sync.mirror.database import open_database, writing
from sync.mirror.journal import Journal
from sync.mirror.lock import hold
from sync.mirror.mirror import Mirror
from sync.mirror.values import FileCounts, KindResult, Source, Status
from sync.outcome import results_of

PERSON, MEMORY, MEDIUM = KINDS["person"], KINDS["memory"], KINDS["medium"]
ANNA = {"personID": "a", "name": "Anna", "lastChangeTimestamp": "1"}
BEA = {"personID": "b", "name": "Bea", "lastChangeTimestamp": "1"}


@pytest.fixture
def mirror(database):
    mirror = Mirror(database, KINDS)
    mirror.migrate()
    yield mirror
    mirror.close()


@pytest.fixture
def source(mirror: Mirror) -> Source:
    return mirror.register_memori("1", "Guide", "e1")


def see(mirror: Mirror, source: Source, documents, *, gone=(), kind=PERSON, children=()):
    """One snapshot that sees these objects of a kind; returns its id and the tally."""
    snapshot_id = mirror.start_snapshot(source, mirror.next_run_id(), "manual")
    family = (kind,) if children == () else (kind, MEDIUM)
    with mirror.staging(source, snapshot_id) as staging:
        staging.record(kind, documents)
        for key in gone:
            staging.note_gone(kind, key)
        if children != ():
            staging.record(MEDIUM, children)
        tallies = staging.commit(family, lambda found: results_of(family, found, "", {}))
    mirror.finish_snapshot(snapshot_id, Status.COMPLETE, FileCounts())
    return snapshot_id, tallies


def history(mirror: Mirror, key: str) -> list[tuple]:
    change = mirror.tables.change
    query = (
        sa.select(change.c.snapshot_id, change.c.op, change.c.superseded_in)
        .where(change.c.key == key)
        .order_by(change.c.id)
    )
    with mirror.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_a_life_is_one_change_per_step_each_superseded_by_the_next(mirror, source):
    first, _ = see(mirror, source, [ANNA])
    second, _ = see(mirror, source, [{**ANNA, "name": "Anna B."}])
    third, _ = see(mirror, source, [], gone=["a"])
    fourth, _ = see(mirror, source, [ANNA])

    assert history(mirror, "a") == [
        (first, "created", second),
        (second, "updated", third),
        (third, "deleted", fourth),
        (fourth, "created", None),
    ]
    names = [
        mirror.past.documents(source, PERSON, ["a"], n).get("a", {}).get("name")
        for n in range(1, 5)
    ]
    assert names == ["Anna", "Anna B.", None, "Anna"]


def test_the_tally_tells_new_changed_same_and_gone(mirror, source):
    see(mirror, source, [ANNA, BEA, {"personID": "c"}])
    _, tallies = see(mirror, source, [ANNA, {**BEA, "name": "B."}, {"personID": "d"}], gone=["c"])
    tally = tallies["person"]
    assert (tally.listed, tally.created, tally.updated) == (3, 1, 1)
    assert (tally.deleted, tally.unchanged) == (1, 1)


def test_what_is_no_change_freshens_the_row_and_leaves_history_alone(mirror, source):
    see(mirror, source, [ANNA])
    see(mirror, source, [{**ANNA, "lastChangeTimestamp": "2"}])
    assert len(history(mirror, "a")) == 1
    (document,) = mirror.documents(source, PERSON)
    assert document["lastChangeTimestamp"] == "2"


def test_an_object_seen_twice_in_one_snapshot_counts_once_and_the_last_sight_wins(mirror, source):
    see(mirror, source, [ANNA])
    snapshot_id = mirror.start_snapshot(source, 9, "manual")
    with mirror.staging(source, snapshot_id) as staging:
        assert staging.record(PERSON, [{**ANNA, "name": "X"}, {**ANNA, "name": "Y"}]) == 1
        assert staging.record(PERSON, [ANNA]) == 0
        tallies = staging.commit((PERSON,))
    assert tallies["person"].unchanged == 1
    assert len(history(mirror, "a")) == 1


def test_nothing_of_a_page_is_noted_if_one_document_has_no_key(mirror, source):
    with mirror.staging(source, mirror.start_snapshot(source, 1, "manual")) as staging:
        with pytest.raises(BadAnswer):
            staging.record(PERSON, [ANNA, {"name": "nobody"}])
        assert staging.record(PERSON, [ANNA]) == 1


def test_what_was_not_seen_is_absent_and_only_what_is_noted_gone_is_deleted(mirror, source):
    see(mirror, source, [ANNA, BEA])
    snapshot_id = mirror.start_snapshot(source, 2, "manual")
    with mirror.staging(source, snapshot_id) as staging:
        staging.record(PERSON, [ANNA])
        assert list(staging.absent(PERSON)) == [BEA]
        staging.commit((PERSON,))
    assert len(list(mirror.documents(source, PERSON))) == 2


def test_how_a_kind_went_is_written_with_what_came_of_it_or_neither_is(mirror, source):
    snapshot_id = mirror.start_snapshot(source, 1, "manual")
    with mirror.staging(source, snapshot_id) as staging:
        staging.record(PERSON, [ANNA])
        with pytest.raises(ZeroDivisionError):
            staging.commit((PERSON,), lambda _: {"person": 1 / 0})
        assert list(mirror.documents(source, PERSON)) == []
        staging.commit(
            (PERSON,), lambda each: {"person": KindResult(Status.COMPLETE, each["person"])}
        )
    (snapshot,) = mirror.snapshots()
    assert snapshot.kinds["person"].tally.created == 1
    assert list(mirror.documents(source, PERSON)) == [ANNA]


def test_children_go_with_a_parent_that_is_gone(mirror, source):
    hours, tale = {"memoryID": "h"}, {"memoryID": "t"}
    media = [{"mediumID": "x", "memoryID": "h", "position": 0}]
    see(mirror, source, [hours, tale], kind=MEMORY, children=media)
    _, tallies = see(mirror, source, [tale], kind=MEMORY, gone=["h"], children=[])
    assert tallies["medium"].deleted == 1
    assert list(mirror.documents(source, MEDIUM)) == []


def test_children_of_a_parent_that_was_not_seen_are_not_absent(mirror, source):
    media = [{"mediumID": "x", "memoryID": "h", "position": 0}]
    see(mirror, source, [{"memoryID": "h"}], kind=MEMORY, children=media)
    with mirror.staging(source, mirror.start_snapshot(source, 2, "manual")) as staging:
        staging.record(MEMORY, [{"memoryID": "t"}])
        staging.record(MEDIUM, [])
        assert list(staging.absent(MEDIUM)) == []
        staging.record(MEMORY, [{"memoryID": "h"}])
        assert [each["mediumID"] for each in staging.absent(MEDIUM)] == ["x"]


def test_a_child_that_moved_to_another_parent_is_not_gone_with_the_old_one(mirror, source):
    see(
        mirror,
        source,
        [{"memoryID": "h"}],
        kind=MEMORY,
        children=[{"mediumID": "x", "memoryID": "h"}],
    )
    moved = [{"mediumID": "x", "memoryID": "t"}]
    see(mirror, source, [{"memoryID": "t"}], kind=MEMORY, gone=["h"], children=moved)
    (medium,) = mirror.documents(source, MEDIUM)
    assert medium["memoryID"] == "t"


@pytest.mark.parametrize(
    "name", ["a\x00b", "\ud800", "🦊", "'; drop table person; --", "x" * 99_999]
)
def test_hostile_text_is_kept_exactly(mirror, source, name):
    document = {"personID": "a", "name": name, "big": 10**40}
    see(mirror, source, [document])
    assert list(mirror.documents(source, PERSON)) == [document]
    assert mirror.past.documents(source, PERSON, ["a"]) == {"a": document}


people = st.dictionaries(
    st.sampled_from("abcdef"),
    st.fixed_dictionaries({"name": st.sampled_from(["x", "y", None]), "readBy": st.integers(0, 2)}),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(people, min_size=1, max_size=6))
def test_every_snapshot_can_be_read_back_as_it_was(mirror, views):
    source = mirror.register_memori(str(uuid4()), "Guide", "e")
    live: dict[str, dict] = {}
    seen = []
    for view in views:
        documents = [{"personID": key, **each} for key, each in view.items()]
        snapshot_id, tallies = see(
            mirror, source, documents, gone=sorted(live.keys() - view.keys())
        )
        expected = {
            "created": len(view.keys() - live.keys()),
            "deleted": len(live.keys() - view.keys()),
            "updated": sum(
                PERSON.digest(view[key]) != PERSON.digest(live[key])
                for key in view.keys() & live.keys()
            ),
        }
        assert {name: vars(tallies["person"])[name] for name in expected} == expected
        live = view
        seen.append((snapshot_id, view))
    for snapshot_id, view in seen:
        for key in "abcdef":
            document = mirror.past.documents(source, PERSON, [key], snapshot_id).get(key)
            expected_digest = PERSON.digest(view[key]) if key in view else None
            assert (PERSON.digest(document) if document else None) == expected_digest


def test_the_projection_agrees_with_history_after_anything(mirror, source, tmp_path):
    see(mirror, source, [ANNA, BEA])
    see(mirror, source, [{**ANNA, "name": "A"}], gone=["b"])
    store = FileStore(tmp_path / "files")
    report = check(mirror, store, KINDS)
    assert (report.objects, report.damage) == (1, [])


def test_check_tells_what_does_not_agree(mirror, source, tmp_path):
    see(mirror, source, [ANNA, BEA, {"personID": "c"}])
    table, change = mirror.tables.kinds["person"], mirror.tables.change
    with mirror.engine.begin() as connection:
        connection.execute(
            sa.update(table).where(table.c.key == "a").values(document=canonical({"name": "Z"}))
        )
        connection.execute(sa.update(table).where(table.c.key == "b").values(tag="Z"))
        connection.execute(sa.delete(table).where(table.c.key == "c"))
        connection.execute(sa.update(change).where(change.c.key == "b").values(superseded_in=1))
    damage = check(mirror, FileStore(tmp_path), KINDS).damage
    told: dict[str, str] = {}
    for each in damage:
        told[each.where] = f"{told.get(each.where, '')}; {each.problem}"
    assert "its document" in told["a"]
    assert "its row is not of its last change" in told["b"]
    assert "its row is not there" in told["c"]
    assert told.keys() == {"a", "b", "c"}


def test_a_mirror_holds_one_account(mirror):
    account = mirror.register_account("u1", "owner")
    assert mirror.register_account("u1", "new name") == replace(account, name="new name")
    with pytest.raises(UsageError, match="not of"):
        mirror.register_account("u2", "other")


def test_two_writers_lose_no_update(mirror, source):
    """The drivers' own transactions lose them without a word."""
    run = mirror.tables.snapshot
    snapshot_id = mirror.start_snapshot(source, 0, "manual")

    def work():
        for _ in range(25):
            with mirror.engine.connect() as connection, writing(connection):
                at = sa.select(run.c.run_id).where(run.c.id == snapshot_id).with_for_update()
                value = connection.execute(at).scalar_one()
                connection.execute(
                    sa.update(run).where(run.c.id == snapshot_id).values(run_id=value + 1)
                )

    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert mirror.next_run_id() == 101


def test_times_come_back_aware_and_in_utc(mirror, source):
    see(mirror, source, [ANNA])
    (snapshot,) = mirror.snapshots()
    assert snapshot.started_at.utcoffset().total_seconds() == 0
    assert snapshot.finished_at >= snapshot.started_at
    with pytest.raises(StorageError, match="without a zone"):
        with mirror.engine.begin() as connection:
            values = {"started_at": snapshot.started_at.replace(tzinfo=None)}
            connection.execute(sa.update(mirror.tables.snapshot).values(values))


def test_one_process_writes_at_a_time_and_the_other_is_told_which(mirror, database):
    other = open_database(database)
    with hold(mirror.engine, "a backup"):
        with pytest.raises(Locked, match=r"a backup \(process \d+\)"), hold(other, "a check"):
            pass
    with hold(other, "a check"):
        pass
    other.dispose()


def test_what_an_earlier_process_left_running_is_marked_interrupted(mirror, source):
    mirror.start_snapshot(source, 1, "manual")
    mirror.interrupt_running()
    assert mirror.snapshots()[0].status == "interrupted"


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "sqlite://", "sqlite:///:memory:"])
def test_a_database_url_that_cannot_be_is_a_usage_error(url):
    with pytest.raises(UsageError):
        open_database(url)


def test_a_sqlite_database_is_private_and_set_up_for_two_processes(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path}/new/mirror.db")
    with engine.connect() as connection:
        pragmas = ("journal_mode", "foreign_keys", "busy_timeout", "synchronous")
        found = [connection.exec_driver_sql(f"PRAGMA {each}").scalar() for each in pragmas]
    engine.dispose()
    assert found == ["wal", 1, 10_000, 1]
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "new" / "mirror.db").stat().st_mode & 0o777 == 0o600


def test_what_a_database_throws_is_a_storage_error_without_parameters(tmp_path):
    (tmp_path / "mirror.db").write_bytes(b"this is no database" * 100)
    engine = open_database(f"sqlite:///{tmp_path}/mirror.db")
    with pytest.raises(StorageError, match="not a database"), engine.connect():
        pass
    engine.dispose()


def test_a_missing_postgresql_driver_is_told_with_what_to_install(monkeypatch):
    def missing(*_):
        raise ModuleNotFoundError("No module named 'psycopg'")

    monkeypatch.setattr(
        "sqlalchemy.dialects.postgresql.psycopg.PGDialect_psycopg.import_dbapi", missing
    )
    with pytest.raises(UsageError, match="driver is not installed") as raised:
        open_database("postgresql+psycopg://u@h/d")
    assert "pip install" in raised.value.hint


def test_what_was_seen_after_all_is_not_gone(mirror, source):
    see(mirror, source, [ANNA, BEA])
    _, tallies = see(mirror, source, [ANNA, {**BEA, "name": "B."}], gone=["a", "b"])
    assert (tallies["person"].deleted, tallies["person"].updated) == (0, 1)
    assert mirror.past.documents(source, PERSON, ["b"])["b"] == {**BEA, "name": "B."}


def test_a_later_sight_replaces_what_was_staged_whatever_its_pass(mirror, source):
    snapshot_id = mirror.start_snapshot(source, 1, "manual")
    with mirror.staging(source, snapshot_id) as staging:
        assert staging.record(PERSON, [ANNA, BEA], 1) == 2
        assert staging.record(PERSON, [{**ANNA, "name": "Second"}], 2) == 1
        assert staging.record(PERSON, [{**ANNA, "name": "Third"}], 2) == 0
        staging.record(PERSON, [{**BEA, "name": "Asked alone"}], 0)
        tally = staging.commit((PERSON,))["person"]
    assert (tally.listed, tally.created) == (2, 2)
    names = {key: each["name"] for key, each in mirror.past.state(source, PERSON)}
    assert names == {"a": "Third", "b": "Asked alone"}


def test_thousands_are_staged_changed_and_lost_alike(mirror, source):
    def crowd(name: str) -> list[dict]:
        return [{"personID": f"p{n}", "name": f"{name} {n}"} for n in range(3000)]

    see(mirror, source, crowd("a"))
    _, tallies = see(mirror, source, crowd("b")[:2000], gone=[f"p{n}" for n in range(2900, 3000)])
    tally = tallies["person"]
    assert (tally.listed, tally.updated, tally.deleted) == (2000, 2000, 100)
    assert not check(mirror, FileStore(Path("unused")), KINDS).damage


def test_what_came_back_into_another_agent_counts_as_absent_here(mirror, source):
    other = mirror.register_memori("2", "Other", "e2")
    see(mirror, source, [ANNA, BEA])
    Journal(mirror, other).recognise({("person", "a"): "there"})
    Journal(mirror, source).recognise({("person", "b"): "here"})
    with mirror.staging(source, mirror.start_snapshot(source, 9, "manual")) as staging:
        assert staging.count_missing(PERSON) == (1, 1)


def test_the_newest_thousand_jobs_of_each_name_are_remembered(mirror):
    table = mirror.tables.job
    at = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [{"name": name, "started_at": at} for name in ("check", "backup") for _ in range(1005)]
    with mirror.engine.connect() as connection, writing(connection):
        connection.execute(sa.insert(table), rows)
    newest = jobs.begin(mirror, "backup")
    of = sa.select(sa.func.count(), sa.func.max(table.c.id)).group_by(table.c.name)
    with mirror.engine.connect() as connection:
        assert connection.execute(of.order_by(table.c.name)).all() == [(1000, newest), (1005, 1005)]
    assert jobs.last_runs(mirror)["backup"].failures == 1000
