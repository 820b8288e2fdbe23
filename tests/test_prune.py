"""Prune forgets what no policy keeps, removes what nothing needs, and nothing else."""

import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from test_mirror import see
from workplace import Workplace, add_people, execute, writes

from sync import config
from sync.app import App
from sync.check import Report, check
from sync.errors import DamageFound, StorageError, UsageError
from sync.files import FileStore
from sync.history import log, show, span
from sync.kinds import KINDS
from sync.kinds.file import FILE
from sync.mirror import audit, forget, ledger
from sync.mirror.forget import forgetting, needed_by_restores
from sync.mirror.journal import Journal
from sync.mirror.lock import hold
from sync.mirror.mirror import Mirror
from sync.mirror.values import FileCounts, Source, Status
from sync.prune import Pruned, look, prune
from sync.redact import Redactor
from sync.restore import prepare
from sync.restore_point import choose_snapshot
from sync.resume import give_up
from sync.retention import Policy
from sync.sandbox import Fault, FaultSet, Sandbox, World
from sync.selection import Selection
from sync.stop import Stop

ONE = Policy(last=1)
TWO_DAYS_S = 2 * 86_400


@pytest.fixture
def mirror(database):
    mirror = Mirror(database, KINDS)
    mirror.migrate()
    yield mirror
    mirror.close()


@pytest.fixture
def source(mirror: Mirror) -> Source:
    return mirror.register_memori("1", "Guide", "e1")


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    store = FileStore(tmp_path / "files")
    store.prepare()
    return store


def person(key: str, name: str) -> dict[str, Any]:
    return {"personID": key, "name": name}


def stored(mirror: Mirror, store: FileStore) -> Report:
    return check(mirror, store, KINDS, 100.0)


def forget_all_but(mirror: Mirror, store: FileStore, policy: Policy = ONE) -> Pruned:
    """Prune; what a look told before is what it comes to, and what is left holds."""
    told = look(mirror, store, policy)
    done = prune(mirror, store, policy, lambda *_: None)
    assert done == told
    assert stored(mirror, store).damage == []
    again = prune(mirror, store, policy, lambda *_: None)
    assert (again.kept, again.forgotten, again.changes, again.files) == (done.kept, (), 0, 0)
    return done


def changes(mirror: Mirror, key: str) -> list[tuple[int, str]]:
    change = mirror.tables.change
    query = sa.select(change.c.snapshot_id, change.c.op).where(change.c.key == key)
    with mirror.engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query.order_by(change.c.id))]


# -- what of the history goes


def test_a_version_goes_only_if_no_kept_snapshot_saw_it(mirror, source, store):
    first, _ = see(mirror, source, [person("a", "Anna"), person("b", "Bea")])
    second, _ = see(mirror, source, [person("a", "Anna B."), person("b", "Bea")])
    third, _ = see(mirror, source, [person("a", "Anna C.")], gone=["b"])
    fourth, _ = see(mirror, source, [person("a", "Anna C.")])
    restore_id = Journal(mirror, source).start(second, second)

    done = forget_all_but(mirror, store)

    # The second is needed by the restore that is not at its end.
    assert [each.snapshots for each in done.forgotten] == [(first,), (third,)]
    assert done.changes == 1
    assert changes(mirror, "a") == [(second, "updated"), (third, "updated")]
    assert changes(mirror, "b") == [(first, "created"), (third, "deleted")]

    Journal(mirror, source).finish(restore_id, Status.COMPLETE)
    # What the last restore found before it stays as the way back.
    assert forget_all_but(mirror, store).forgotten == ()
    Journal(mirror, source).start(fourth, fourth)
    assert forget_all_but(mirror, store).changes == 2
    assert changes(mirror, "a") == [(third, "updated")]
    assert changes(mirror, "b") == [(third, "deleted")]


def test_a_step_that_was_left_open_keeps_what_settles_it(mirror, source, store):
    ids = [see(mirror, source, [person("a", f"{n}")])[0] for n in range(4)]
    journal = Journal(mirror, source)
    first = journal.start(ids[0], ids[1])
    journal.begin(first, "create", ("person", "x"), {})
    journal.finish(first, Status.COMPLETE)
    journal.finish(journal.start(ids[3], ids[3]), Status.COMPLETE)
    done = forget_all_but(mirror, store)
    assert [each.snapshots for each in done.forgotten] == [(ids[2],)]


def test_what_is_left_tells_no_lies(mirror, source, store):
    names = ["Anna", "Anna B.", "Anna C.", "Anna D."]
    first, second, third, fourth = (see(mirror, source, [person("a", n)])[0] for n in names)
    see(mirror, source, [person("a", "Anna D.")], gone=())
    (made,) = (each for each in log(mirror, KINDS, "person") if each.op == "created")
    forget_all_but(mirror, store, Policy(last=2))
    (left,) = log(mirror, KINDS, "person")
    assert (left.snapshot_id, left.op, left.fields) == (fourth, "updated", ())
    assert left.is_before_forgotten
    assert not made.is_before_forgotten
    for snapshot_id in (first, second, third):
        for ask in (
            lambda n=snapshot_id: span(mirror, n),
            lambda n=snapshot_id: show(mirror, KINDS, "person", "a", snapshot_id=n),
        ):
            with pytest.raises(UsageError, match="was forgotten") as raised:
                ask()
            assert f"{fourth} of " in raised.value.hint


def test_no_time_leads_back_to_what_is_forgotten(mirror, source, store):
    for name in ("Anna", "Anna B.", "Anna C."):
        see(mirror, source, [person("a", name)])
    forget_all_but(mirror, store, Policy(last=2))
    gone, first, last = mirror.snapshots()
    assert gone.status is Status.FORGOTTEN
    assert choose_snapshot(mirror, source.remote_id).id == last.id
    with pytest.raises(UsageError) as raised:
        choose_snapshot(mirror, source.remote_id, at=gone.started_at)
    assert f"the first one is {first.id}" in raised.value.hint


def test_what_is_gone_and_forgotten_is_told_as_that(mirror, source, store):
    see(mirror, source, [person("a", "Anna"), person("b", "Bea")])
    see(mirror, source, [person("b", "Bea")], gone=["a"])
    see(mirror, source, [person("b", "Bea")])
    assert show(mirror, KINDS, "person", "a").is_deleted
    forget_all_but(mirror, store)
    with pytest.raises(UsageError, match="'a' is gone, and what it was is forgotten"):
        show(mirror, KINDS, "person", "a")
    (deleted,) = log(mirror, KINDS, "person", "a")
    assert (deleted.op, deleted.is_before_forgotten) == ("deleted", True)
    # It may come back, and its history goes on.
    see(mirror, source, [person("a", "Anna"), person("b", "Bea")])
    assert stored(mirror, store).damage == []
    assert [each.op for each in log(mirror, KINDS, "person", "a")] == ["created", "deleted"]


def test_every_part_of_a_prune_leaves_a_mirror_that_holds(mirror, source, store, monkeypatch):
    monkeypatch.setattr(forget, "_AT_ONCE", 3)
    for n in range(3):
        see(mirror, source, [person(f"{k}", f"{n}") for k in range(4)])
    last, _ = see(mirror, source, [person("0", "3")], gone=["1"])
    with forgetting(mirror, [(source.id, last)]) as work:
        assert work.changes == 8 + 2
        work.mark([1, 2, 3])
        assert stored(mirror, store).damage == []
        gone = []
        for number in work.remove():
            gone.append(number)
            assert stored(mirror, store).damage == []
    assert gone == [3, 6, 9, 10]


def test_what_is_forgotten_is_on_the_disk_before_any_file_goes(mirror, source, store):
    see_files(mirror, source, [file_of("a", **keep_bytes(store, b"1"))])
    see_files(mirror, source, [file_of("a", **keep_bytes(store, b"2"))])
    is_sqlite = mirror.engine.dialect.name == "sqlite"
    # The server of the tests is told to let commits wait for no disk, as one of yours may be.
    level = sa.text("PRAGMA synchronous" if is_sqlite else "SHOW synchronous_commit")
    levels: list[Any] = []

    def look_at(connection: sa.Connection) -> None:
        levels.append((connection.execute(level).scalar_one(), len(names(store))))

    def watch(_: str, what: str, *__: object) -> None:
        levels.append(what)

    sa.event.listen(mirror.engine, "commit", look_at)
    prune(mirror, store, ONE, watch)
    sa.event.remove(mirror.engine, "commit", look_at)
    full = 2 if is_sqlite else "on"
    forgotten = levels.index("changes")
    # The mark and the changes, each before all else goes on.
    assert levels[forgotten - 2 : forgotten] == [(full, 2), (full, 2)]
    assert "files" not in levels[:forgotten]


@pytest.mark.parametrize("harm", ["a version", "the last", "the first of a kept one"])
def test_after_a_prune_real_damage_is_still_found(mirror, source, store, harm):
    for n in range(4):
        see(mirror, source, [person("a", f"{n}"), person("b", "Bea")])
    kept_id, _ = see(mirror, source, [person("a", "4"), person("b", "Bea 2")])
    see(mirror, source, [person("a", "5"), person("b", "Bea 2")])
    forget_all_but(mirror, store, Policy(last=2))
    where = {
        "a version": f"key = 'a' and snapshot_id = {kept_id}",
        "the last": f"key = 'b' and snapshot_id = {kept_id}",
        "the first of a kept one": f"snapshot_id = {kept_id} and op = 'updated'",
    }[harm]
    with mirror.engine.connect() as connection, connection.begin():
        connection.execute(sa.text("delete from person where key = 'b'"))
        connection.execute(sa.text(f"delete from change where {where}"))
    assert [*ledger.miscounts(mirror)]
    assert [each for each in stored(mirror, store).damage if "history" in each.problem]


def test_a_row_that_damage_left_at_an_old_version_keeps_it(mirror, source, store):
    for n in range(3):
        see(mirror, source, [person("a", f"{n}")])
    with mirror.engine.connect() as connection, connection.begin():
        connection.execute(sa.text("update person set change_id = 1"))
    assert look(mirror, store, ONE).changes == 1
    assert prune(mirror, store, ONE, lambda *_: None).changes == 1
    assert len(changes(mirror, "a")) == 2


# -- files


def keep_bytes(store: FileStore, content: bytes, age_s: float = TWO_DAYS_S) -> dict[str, Any]:
    with store.receive() as incoming:
        incoming.take(0, "", [content])
        blob = incoming.keep()
    store.settle()
    at = time.time() - age_s
    os.utime(store.path(blob.sha256), (at, at))
    return {"sha256": blob.sha256, "size_bytes": blob.size_bytes}


def see_files(
    mirror: Mirror, source: Source, files: Iterable[dict[str, Any]], gone: Iterable[str] = ()
) -> int:
    """One snapshot that sees nothing but files."""
    snapshot_id = mirror.start_snapshot(source, mirror.next_run_id(), "manual")
    with mirror.staging(source, snapshot_id) as staging:
        staging.record(FILE, files)
        for key in gone:
            staging.note_gone(FILE, key)
        staging.commit((FILE,))
    mirror.finish_snapshot(snapshot_id, Status.COMPLETE, FileCounts())
    return snapshot_id


def names(store: FileStore) -> set[str]:
    return {name for part in store.stored() for name in part}


def file_of(key: str, status: str = "stored", **facts: Any) -> dict[str, Any]:
    return {"key": key, "url": f"https://a/{key}", "status": status, **facts}


def test_files_go_when_nothing_that_is_kept_refers_to_them(mirror, source, store):
    old, new, both, sent = (keep_bytes(store, each) for each in (b"old", b"new", b"both", b"sent"))
    young = keep_bytes(store, b"nobody's, but young", age_s=3600)
    nobody = keep_bytes(store, b"nobody's")
    see_files(mirror, source, [file_of("a", **old), file_of("b", **both)])
    see_files(mirror, source, [file_of("a", **new), file_of("b", **both)])
    see_files(mirror, source, [file_of("a", **new)], gone=["b"])
    last = see_files(mirror, source, [file_of("a", **new), file_of("c", **both)])
    journal = Journal(mirror, source)
    restore_id = journal.start(last, last)
    step_id = journal.begin(restore_id, "upload", ("asset", "x"), {}, sha256=sent["sha256"])
    journal.done(step_id, ("asset", "x"), "y")
    journal.finish(restore_id, Status.COMPLETE)
    others = [
        store.root / "tmp" / ("0" * 64),
        store.root / "damaged" / ("1" * 64),
        store.root / "sha256" / "ab" / "not-a-name",
        store.root / "sha256" / "abc" / ("2" * 62),
        store.root / "sha256" / ("3" * 64),
    ]
    for path in others:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"?")
        os.utime(path, (0, 0))
    link = store.path("ab" + "4" * 62)
    link.symlink_to(others[0])
    away = store.root / "away"
    (away / ("5" * 62)).parent.mkdir()
    (away / ("5" * 62)).write_bytes(b"?")
    (store.root / "sha256" / "55").symlink_to(away)

    done = forget_all_but(mirror, store)

    assert names(store) == {each["sha256"] for each in (new, both, sent, young)}
    assert (done.files, done.bytes) == (2, old["size_bytes"] + nobody["size_bytes"])
    assert all(each.exists() for each in (*others, link, away / ("5" * 62)))


def test_the_last_bytes_of_a_file_stay_as_long_as_anything_kept_refers_to_it(mirror, source, store):
    """A restore takes what was stored last, even if the remote had lost it by then."""
    bytes_ = keep_bytes(store, b"the only copy there is")
    see_files(mirror, source, [file_of("a", **bytes_)])
    see_files(mirror, source, [], gone=["a"])
    see_files(mirror, source, [file_of("a", "missing")])
    see_files(mirror, source, [file_of("a", "missing")])
    done = forget_all_but(mirror, store)
    assert (done.changes, done.files) == (1, 0)
    assert mirror.stored_files(["a"])["a"]["sha256"] == bytes_["sha256"]
    see_files(mirror, source, [], gone=["a"])
    done = forget_all_but(mirror, store)
    assert (done.changes, done.files) == (2, 1)
    assert names(store) == set()


def test_no_file_goes_while_history_is_damaged_or_the_folder_is_another_one(
    mirror, source, store, tmp_path
):
    see_files(mirror, source, [file_of("a", **keep_bytes(store, b"1"))])
    see_files(mirror, source, [file_of("a", **keep_bytes(store, b"2"))])
    others = FileStore(tmp_path / "others")
    others.prepare()
    keep_bytes(others, b"another mirror's")
    for work in (look, lambda *args: prune(*args, lambda *_: None)):
        with pytest.raises(StorageError, match="holds 1 file that this mirror does not know"):
            work(mirror, others, ONE)
        with pytest.raises(StorageError, match="is not there: nothing was forgotten"):
            work(mirror, FileStore(tmp_path / "nowhere"), ONE)
        with pytest.raises(StorageError, match="cannot read below"):
            # Where a disk would be mounted.
            work(mirror, FileStore(tmp_path), ONE)
    with mirror.engine.connect() as connection, connection.begin():
        connection.execute(sa.text("update change set document = replace(document, '0', '1')"))
    with pytest.raises(DamageFound, match="nothing was forgotten"):
        prune(mirror, store, ONE, lambda *_: None)
    with mirror.engine.connect() as connection:
        statuses = connection.execute(sa.text("select distinct status from snapshot"))
        assert list(statuses.scalars()) == ["complete"]
    assert (len(names(store)), len(names(others))) == (2, 1)


def test_a_new_database_beside_old_files_removes_none(mirror, source, store):
    see(mirror, source, [person("a", "Anna")])
    keep_bytes(store, b"of a database that was lost, or is another one")
    with pytest.raises(StorageError, match="holds 1 file that this mirror does not know"):
        prune(mirror, store, ONE, lambda *_: None)
    assert len(names(store)) == 1


def test_the_last_files_of_all_may_go(mirror, source, store):
    see_files(mirror, source, [file_of("a", **keep_bytes(store, b"1"))])
    see_files(mirror, source, [], gone=["a"])
    assert forget_all_but(mirror, store).files == 1
    assert names(store) == set()


def test_a_check_beside_a_prune_does_not_miss_what_was_just_forgotten(mirror, source, store):
    older = keep_bytes(store, b"1")
    see_files(mirror, source, [file_of("a", **older)])
    see_files(mirror, source, [file_of("a", **keep_bytes(store, b"2"))])
    first = next(each for each in audit.blobs(mirror) if each.sha256 == older["sha256"])
    assert audit.is_known(mirror, first)
    prune(mirror, store, ONE, lambda *_: None)
    assert store.problem(first.sha256, is_read=False) == "is not there"
    assert not audit.is_known(mirror, first)


def test_whoever_has_lost_the_lock_removes_no_file(mirror, source, store):
    if mirror.engine.dialect.name == "sqlite":
        pytest.skip("a kernel lock cannot be lost")
    see_files(mirror, source, [file_of("a", **keep_bytes(store, b"1"))])
    see_files(mirror, source, [file_of("a", **keep_bytes(store, b"2"))])

    def lose(_: str, what: str, *__: Any) -> None:
        if what == "changes":
            end = (
                "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'"
                " and database = (select oid from pg_database where datname = current_database())"
            )
            with mirror.engine.connect() as connection:
                connection.execute(sa.text(end))

    with pytest.raises(StorageError, match="ended the connection that held the lock"):
        with hold(mirror.engine, "a prune"):
            prune(mirror, store, ONE, lose)
    assert len(names(store)) == 2
    assert prune(mirror, store, ONE, lambda *_: None).files == 1


# -- the command


def back_up_thrice(work: Workplace, world: World) -> None:
    """Two more runs than the first, on days of their own."""
    agent = world.agent("Guide")
    for name in ("Anna B.", "Anna C."):
        agent.people["p-anna-1"]["name"] = name
        work.backup()
    execute(work, "update snapshot set started_at = '2026-11-21 03:00:00' where run_id = 1")
    execute(work, "update snapshot set started_at = '2026-11-22 03:00:00' where run_id = 2")
    execute(work, "update snapshot set started_at = '2026-11-23 03:00:00' where run_id = 3")


def test_without_a_word_of_what_is_kept_nothing_is_forgotten(backed_up: Workplace, world: World):
    back_up_thrice(backed_up, world)
    for more in ((), ("--dry-run",), ("--keep-last", "0")):
        outcome = backed_up.run("prune", "--json", *more)
        assert (outcome.code, outcome.json["exit_code"]) == (2, 2)
        assert "--keep-daily 30" in outcome.json["error"]["hint"]
    assert backed_up.sql("select distinct status from snapshot") == [("complete",)]


def test_a_dry_run_tells_what_then_goes_and_what_is_left_works(
    backed_up: Workplace, world: World, sandbox: Sandbox
):
    back_up_thrice(backed_up, world)
    before = backed_up.run("status", "--json").json["sources"]
    told = backed_up.run("prune", "--keep-daily", "2", "--dry-run", "--json")
    assert told.code == 0
    assert backed_up.sql("select distinct status from snapshot") == [("complete",)]
    done = backed_up.run("prune", "--keep-daily", "2", "--json")
    assert {**told.json, "dry_run": False} == done.json
    assert done.json["forgotten"] == [
        {"run_id": 1, "snapshots": [1, 2], "started_at": "2026-11-21T03:00:00+00:00"}
    ]
    assert [(each["run_id"], each["reasons"]) for each in done.json["kept"]] == [
        (2, ["daily"]),
        (3, ["latest", "daily"]),
    ]
    assert (done.json["changes"], done.json["files"], done.json["bytes"]) == (1, 0, 0)

    after = backed_up.run("status", "--json").json["sources"]
    for each in (*before, *after):
        each.pop("age_s")
        for kind in each["kinds"].values():
            kind.pop("age_s")
    assert after == before
    shown = [each["id"] for each in backed_up.run("snapshots", "--json").json["snapshots"]]
    assert shown == [3, 4, 5, 6]
    shown = backed_up.run("snapshots", "--all", "--json").json["snapshots"]
    assert [each["status"] for each in shown[:2]] == ["forgotten"] * 2
    for args in (
        ("restore", "--snapshot", "2", "--dry-run"),
        ("show", "person", "p-anna-1", "--snapshot", "2"),
        ("diff", "2"),
        ("diff", "4", "2"),
    ):
        outcome = backed_up.run(*args, "--json")
        assert outcome.code == 2, outcome
        assert outcome.json["error"]["message"] == "snapshot 2 was forgotten by a prune"
        assert "4 of 2026-11-22" in outcome.json["error"]["hint"]
    at = ("--at", "2026-11-21T12:00")
    assert backed_up.run("show", "person", "p-anna-1", *at).code == 2
    assert backed_up.run("restore", "--dry-run", *at).code == 2
    at = ("--at", "2026-11-22T12:00")
    assert "Anna B." in backed_up.run("show", "person", "p-anna-1", *at).out
    log = backed_up.run("log", "person", "p-anna-1").out
    assert "updated" in log
    assert "what it was before is forgotten" in log
    assert backed_up.run("restore", "--snapshot", "4", "--yes").code == 0
    assert world.agent("Guide").people["p-anna-1"]["name"] == "Anna B."
    assert backed_up.run("check", "--read-data").code == 0
    backed_up.backup()


def test_options_stand_over_the_settings_one_by_one(work: Workplace, sandbox: Sandbox, world):
    work.settle(sandbox, "\n[prune]\nkeep_daily = 3\nkeep_within = '1d'\n")
    work.first_backup()
    back_up_thrice(work, world)
    told = work.run("prune", "--dry-run")
    assert told.code == 0
    assert "3 runs kept, 0 forgotten" in told.out
    assert "2 runs kept, 1 forgotten" in work.run("prune", "--dry-run", "--keep-daily", "0").out
    args = ("prune", "--dry-run", "--keep-daily", "0", "--keep-within", "2h")
    told = work.run(*args)
    assert "1 run kept, 2 forgotten; 2 changes and 0 files (0 bytes)" in told.out
    assert max(map(len, told.out.splitlines())) <= 80
    assert work.run("prune", "--keep-within", "soon").code == 2
    shown = work.run("config", "check", "--json").json["settings"]
    assert (shown["prune.keep_daily"], shown["prune.keep_within"]) == (3, "1d")


def test_the_settings_are_checked(work: Workplace, sandbox: Sandbox):
    schedule = '\n[[schedule]]\ncron = "0 4 * * *"\njob = "prune"\n'
    work.settle(sandbox, schedule)
    assert "needs [prune] to say what is kept" in work.run("config", "check").err
    work.settle(sandbox, schedule + "[prune]\nkeep_last = -1\nkeep_within = 'soon'\nkeep = 1\n")
    told = work.run("config", "check").err
    for part in ("keep_last must be 0 or more", "keep_within", "unknown: keep in [prune]"):
        assert part in told
    work.settle(sandbox, schedule + "[prune]\nkeep_last = 3\n")
    assert work.run("config", "check").code == 0


def test_a_prune_needs_a_mirror_and_the_lock(work: Workplace):
    assert work.run("prune", "--keep-last", "1").code == 10
    work.first_backup()
    engine = sa.create_engine(work.database.replace("///mirror", f"///{work.folder}/mirror"))
    with hold(engine, "a backup"):
        assert work.run("prune", "--keep-last", "1").code == 11
        # A look needs none.
        assert work.run("prune", "--keep-last", "1", "--dry-run").code == 0
    engine.dispose()


def test_a_limited_and_a_failed_run_take_no_place(
    work: Workplace, world: World, serve: Callable[..., Sandbox]
):
    work.first_backup()
    work.backup("--kind", "person")
    with serve(world, faults=FaultSet([Fault("/memori/v2/Memories/*", status=500)])) as broken:
        work.settle(broken)
        assert work.run("backup").code == 3
    kept = work.run("prune", "--keep-last", "1", "--json").json["kept"]
    assert [(each["run_id"], each["reasons"]) for each in kept] == [
        (1, ["latest", "last"]),
        (2, ["latest", "last"]),
        (3, ["latest", "last", "since"]),
    ]


def test_an_agent_that_is_gone_keeps_its_last_complete_state(
    work: Workplace, world: World, sandbox: Sandbox
):
    world.add_agent("Archive")
    work.backup()
    work.backup()
    with sandbox.lock:
        agent = world.agents.pop(next(k for k, a in world.agents.items() if a.name == "Archive"))
    work.backup()
    assert agent.name == "Archive"
    assert work.sql("select count(*) from source where gone_at is not null") == [(1,)]
    told = work.run("prune", "--keep-last", "1", "--json").json
    assert [each["run_id"] for each in told["kept"]] == [2, 3]
    assert work.run("check").code == 0


def test_what_a_kept_snapshot_did_not_see_whole_comes_back_as_before(
    work: Workplace, world: World, sandbox: Sandbox
):
    """The guard held a loss back in run 2: its people are those that run 1 saw."""
    guide = world.agent("Guide")
    add_people(guide, 20)
    work.backup()
    with sandbox.lock:
        for number in range(15):
            del guide.people[f"p-new-{number}"]
        guide.people["p-anna-1"]["name"] = "Anna B."
    assert work.run("backup").code == 6
    work.backup("--accept-deletions", "person=15")
    guide.people["p-anna-1"]["name"] = "Anna C."
    work.backup()
    for run_id, year in ((1, 2020), (2, 2025), (3, 2020)):
        execute(work, f"update snapshot set started_at = '{year}-01-01' where run_id = {run_id}")
    plan = work.run("restore", "--snapshot", "4", "--dry-run", "--json").json
    assert plan["kinds"]["person"]["snapshot_id"] == 2

    told = work.run("prune", "--keep-last", "1", "--keep-within", "2000d", "--json").json

    assert [(each["run_id"], each["reasons"][0]) for each in told["kept"][:2]] == [
        (1, "base"),
        (2, "within"),
    ]
    assert [each["run_id"] for each in told["forgotten"]] == [3]
    assert work.run("restore", "--snapshot", "4", "--dry-run", "--json").json == plan


def test_what_is_asked_for_by_time_says_if_nearer_snapshots_were_forgotten(
    work: Workplace, world: World, tmp_path: Path
):
    work.first_backup()
    back_up_thrice(work, world)
    work.backup()
    execute(work, "update snapshot set status = 'forgotten' where run_id in (2, 3)")
    lines = (
        "restore --dry-run",
        "restore --drill -q",
        f"export {tmp_path}/{{}}",
        "show person p-anna-1",
    )
    for line in lines:
        told = work.run(*line.format("then").split(), "--at", "2026-11-24").err
        assert "note: Guide is taken as of snapshot 2 of 20" in told, line
        assert "nearer ones were forgotten: 4, 6" in told, line
        assert ("owner is taken as of snapshot 1 of" in told) is line.startswith("export"), line
        assert "nearer ones" not in work.run(*line.format("now").split(), "--at", "now").err, line


def test_the_way_back_from_a_restore_that_was_gone_on_with_last_is_kept(
    work: Workplace, world: World, sandbox: Sandbox, serve: Callable[..., Sandbox]
):
    guide = world.agent("Guide")
    work.first_backup()
    guide.people["p-anna-1"]["name"] = "Anna B."
    work.backup()
    del guide.memories["m-tale-1"]
    fault = Fault("/memori/v2/Memory/*", method="POST", status=500)
    with serve(world, faults=FaultSet([fault])) as broken:
        work.settle(broken)
        assert work.run("restore", "--snapshot", "2", "--yes").code == 3
    work.settle(sandbox)
    assert work.run("restore", "--snapshot", "4", "--yes").code == 0
    guide.people["p-anna-1"]["information"] = "seen by the restore that goes on"
    assert work.run("restore", "--resume", "1", "--yes").code == 0
    work.backup()
    work.backup()
    ways = work.sql("select before_snapshot_id, resumed_snapshot_id from restore where id = 1")
    told = work.run("prune", "--keep-last", "1", "--json").json
    kept = {each for run in told["kept"] for each in run["snapshots"]}
    assert set(ways[0]) <= kept


def test_what_a_restore_needed_goes_once_it_was_given_up_or_taken_up(mirror, source, store):
    ids = [see(mirror, source, [person("a", f"Anna {n}")])[0] for n in range(6)]
    journal = Journal(mirror, source)
    cut = journal.start(ids[0], ids[1])
    journal.finish(cut, Status.INTERRUPTED)
    assert needed_by_restores(mirror) == {ids[0], ids[1]}
    whole = journal.start(ids[2], ids[3])
    journal.finish(whole, Status.COMPLETE)
    # What the agent was before the first of them is where both lead back to.
    assert needed_by_restores(mirror) == {ids[1], ids[3]}
    last = journal.start(ids[0], ids[4])
    journal.finish(last, Status.INCOMPLETE)
    assert needed_by_restores(mirror) == {ids[0], ids[4]}
    give_up(mirror, last)
    assert needed_by_restores(mirror) == {ids[4]}
    step = journal.begin(last, "create", ("person", "a"), {})
    assert needed_by_restores(mirror) == {ids[0], ids[4]}
    journal.failed(step, "not carried out")
    forget_all_but(mirror, store)
    assert needed_by_restores(mirror) == {ids[4]}
    assert ids[0] not in {each for each, _ in changes(mirror, "a")}


def test_a_restore_whose_snapshot_is_forgotten_before_it_begins_sends_nothing(
    work: Workplace, world: World, sandbox: Sandbox
):
    work.first_backup()
    back_up_thrice(work, world)
    app = App(config.load(work.config, {}), Stop(), Redactor())
    with app.reading() as mirror:
        chosen = choose_snapshot(mirror, "Guide", 2)
    assert work.run("prune", "--keep-last", "1").code == 0
    with app.restoring("a restore", "Guide") as hands:
        with pytest.raises(UsageError, match="snapshot 2 was forgotten"):
            prepare(hands, chosen, Selection(), lambda *_: None)
    assert writes(sandbox) == []


def test_a_restore_that_was_cut_can_be_gone_on_with_after_a_prune(
    work: Workplace, world: World, sandbox: Sandbox, serve: Callable[..., Sandbox]
):
    work.first_backup()
    agent = world.agent("Guide")
    del agent.memories["m-tale-1"]
    agent.people["p-anna-1"]["name"] = "Anna B."
    fault = Fault("/memori/v2/Memory/*", method="POST", status=500)
    with serve(world, faults=FaultSet([fault])) as broken:
        work.settle(broken)
        assert work.run("restore", "--snapshot", "2", "--yes").code == 3
    work.settle(sandbox)
    for name in ("Anna C.", "Anna D."):
        agent.people["p-anna-1"]["name"] = name
        work.backup()
    told = work.run("prune", "--keep-last", "1", "--json").json
    assert {tuple(each["reasons"]) for each in told["kept"]} == {("restore",), ("latest", "last")}
    assert len(told["forgotten"]) == 2
    resumed = work.run("restore", "--resume", "1", "--yes")
    assert resumed.code == 0, resumed
    assert agent.people["p-anna-1"]["name"] == "Anna"
    assert len(agent.memories) == 2
    assert work.run("check").code == 0
