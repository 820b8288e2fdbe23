"""`restore --resume`: going on with a restore that was cut, under its old id."""

import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from workplace import Workplace, empty_database, execute, likeness, restore, what_is_there, writes

from sync.kind import Scope
from sync.kinds import KINDS
from sync.mirror import schema
from sync.mirror.lock import hold
from sync.mirror.mirror import Mirror
from sync.mirror.standing import PastRestore, open_restores
from sync.mirror.values import Source, Status
from sync.sandbox import Agent, Fault, FaultSet, Sandbox, World

PROGRAM = str(Path(sys.executable).with_name("aisuru-sync"))
BUSY = {"status": 429}
REFUSAL = '{"requestID": 1, "resultCode": 422, "resultMessage": "no"}'
WRITES = [
    (f"/{base}/*", method)
    for base in ("memori/v2/person", "memori/v2/memory", "memori/v2/medium", "api/v2/asset")
    for method in ("POST", "PATCH")
]


@pytest.fixture
def guide(world: World) -> Agent:
    return world.agent("Guide")


def lose(world: World) -> None:
    guide = world.agent("Guide")
    guide.people.pop("p-anna-1")
    guide.memories.pop("m-hours-1")
    guide.memories["m-tale-1"].update(title="Changed", receiverID=None)
    world.assets.clear()


def cut(work: Workplace, *args: str) -> dict:
    """A restore that finds the remote busy, and gives up."""
    outcome = work.run("restore", "--json", "--yes", *args)
    assert outcome.code == 5, outcome
    return {**outcome.json, "err": outcome.err}


def add_people(guide: Agent, count: int, prefix: str = "extra") -> None:
    anna = guide.people["p-anna-1"]
    for n in range(count):
        key = f"{prefix}-{n}"
        guide.people[key] = {**anna, "personID": key, "name": key, "tag": f"{prefix}{n}"}


def restores(work: Workplace) -> list[tuple]:
    columns = "id, status, wanted_snapshot_id, finished_at is not null"
    return work.sql(f"select {columns} from restore order by id")


def test_a_restore_that_was_cut_names_its_id_and_goes_on_under_it(
    serve, workplace: Workplace, world: World, database: str
):
    faults = FaultSet([Fault("/memori/v2/memory/*", "POST", nth=1, **BUSY)])
    workplace.database = database
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        before = what_is_there(world)
        lose(world)
        told = cut(workplace, "--snapshot", "2")
        assert told["restore_id"] == 1
        assert "aisuru-sync restore --resume 1" in told["error"]["hint"]
        assert "restore --resume 1" in told["err"]
        workplace.backup(code=0)  # what is to come back is not what was seen last
        shown = workplace.run("restore", "--resume", "1", "--dry-run", "--json").json
        assert (shown["restore_id"], shown["snapshot_id"]) == (1, 2)
        assert restores(workplace) == [(1, "incomplete", 2, 1)]
        result = restore(workplace, "--resume", "1")
    faults.check()
    assert (result["restore_id"], result["verified"]) == (1, True)
    assert what_is_there(world) == before
    assert restores(workplace) == [(1, "complete", 2, 1)]


def test_it_goes_on_with_what_was_chosen_then(serve, workplace: Workplace, world: World, guide):
    faults = FaultSet([Fault("/memori/v2/person/*", "POST", nth=1, **BUSY)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        lose(world)
        cut(workplace, "--kind", "person", "--key", "p-anna-1")
        result = restore(workplace, "--resume", "1")
    assert result["done"] == 1
    assert [each["name"] for each in guide.people.values() if each["name"] == "Anna"] == ["Anna"]
    assert guide.memories["m-tale-1"]["title"] == "Changed"


def test_it_goes_into_the_agent_that_it_went_into_then(serve, workplace: Workplace, world: World):
    world.add_agent("Twin")
    faults = FaultSet([Fault("/memori/v2/memory/*", "POST", nth=2, **BUSY)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        cut(workplace, "--memori", "Guide", "--into", "Twin")
        result = restore(workplace, "--resume", "1")
    assert result["target"]["name"] == "Twin"
    assert likeness(world, "Twin") == likeness(world, "Guide")


@pytest.mark.parametrize(("first", "second"), [(1, 3), (3, 2)])
def test_killed_twice_and_resumed_twice_it_leaves_no_duplicate(
    serve, workplace: Workplace, world: World, first: int, second: int
):
    """Killed when the remote has carried out the n-th write, before the answer arrives."""
    reached, go_on, count = threading.Event(), threading.Event(), []

    def linger(_: Sandbox) -> None:
        count.append(1)
        if len(count) in (first, first + second):
            reached.set()
            go_on.wait(60)

    def run_and_kill(*args: str) -> None:
        call = [PROGRAM, "restore", "--yes", *args, "--config", str(workplace.config)]
        process = subprocess.Popen(call, stderr=subprocess.DEVNULL)
        while process.poll() is None and not reached.wait(0.05):
            pass
        process.kill()
        process.wait(60)
        go_on.set()
        reached.clear()

    faults = FaultSet([Fault(path, method, do=linger) for path, method in WRITES])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox, "concurrency = 1\n")
        workplace.first_backup()
        before = what_is_there(world)
        lose(world)
        run_and_kill("--snapshot", "2")
        assert restores(workplace) == [(1, "running", 2, 0)]
        go_on.clear()
        run_and_kill("--resume", "1")
        result = restore(workplace, "--resume", "1")
    assert result["verified"] is True
    assert what_is_there(world) == before
    assert restores(workplace) == [(1, "complete", 2, 1)]
    assert workplace.run("check").code == 0


def test_what_somebody_made_between_is_not_taken_for_what_it_makes_when_it_goes_on(
    serve, workplace: Workplace, world: World, guide: Agent
):
    """There when it went on, it cannot be what was made from then on, however alike it is."""
    faults = FaultSet(
        [
            Fault("/memori/v2/person/*", "POST", nth=1, **BUSY),
            Fault("/memori/v2/memory/*", "POST", nth=1, status=500),
        ]
    )
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox, "concurrency = 1\n")
        workplace.first_backup()
        lose(world)
        cut(workplace, "--snapshot", "2")
        theirs = {**guide.memories["m-tale-1"], "memoryID": "theirs", "title": "Opening hours"}
        guide.memories["theirs"] = {**theirs, "answers": [{"text": "Mine", "preformatted": False}]}
        restore(workplace, "--resume", "1", code=3)
        result = restore(workplace, "--resume", "1")
    faults.check()
    assert result["verified"] is True
    assert guide.memories["theirs"]["answers"][0]["text"] == "Mine"
    assert len(guide.memories) == 3


def test_if_nothing_is_left_to_do_it_is_finished_under_its_id(
    serve, workplace: Workplace, world: World, guide: Agent
):
    faults = FaultSet([Fault("/memori/v2/person/*", "POST", nth=1, **BUSY)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        anna = guide.people.pop("p-anna-1")
        cut(workplace, "--kind", "person", "--snapshot", "2")
        guide.people["p-anna-1"] = anna
        sandbox.calls.clear()
        result = restore(workplace, "--resume", "1")
        assert writes(sandbox) == []
    assert (result["restore_id"], result["done"], result["verified"]) == (1, 0, True)
    assert restores(workplace) == [(1, "complete", 2, 1)]


def test_a_complete_restore_is_verified_again_and_changes_nothing_made_since(
    work: Workplace, sandbox: Sandbox, world: World, guide: Agent
):
    work.first_backup()
    lose(world)
    restore(work, "--snapshot", "2")
    (finished,) = work.sql("select finished_at from restore")
    sandbox.calls.clear()
    again = work.run("restore", "--resume", "1", "--yes")
    assert again.code == 0
    assert "restore 1, " in again.out
    assert "complete already" in again.out
    assert restore(work, "--resume", "1")["restore_id"] == 1
    guide.people[next(iter(guide.people))]["name"] = "Somebody"
    refused = work.run("restore", "--resume", "1", "--yes")
    assert refused.code == 2
    assert "was complete" in refused.err
    assert work.run("restore", "--resume", "1", "--dry-run", "--json").json["steps"]["update"] == 1
    assert writes(sandbox) == []
    assert work.sql("select finished_at from restore") == [finished]


def test_deletions_that_were_agreed_to_are_counted_over_all_of_it(
    serve, workplace: Workplace, world: World, guide: Agent
):
    extra = ("--delete-extra", "--accept-deletions", "person=30", "--snapshot", "2")
    faults = FaultSet(
        [
            Fault("/memori/v2/person/*", "DELETE", nth=5, **BUSY),
            Fault("/memori/v2/person/*", "DELETE", nth=12, **BUSY),
        ]
    )
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        add_people(guide, 30)
        cut(workplace, *extra)
        left = len(guide.people) - 2
        assert 20 < left < 30
        add_people(guide, 1, "new")
        told = workplace.run("restore", "--resume", "1", "--yes", "--json")
        assert told.code == 6
        assert f"person={left + 1}" in told.json["held"]["person"]
        del guide.people["new-0"]
        add_people(guide, 2, "more")
        agreed = ("--accept-deletions", f"person={left + 2}")
        cut(workplace, "--resume", "1", *agreed)
        assert len(guide.people) > 12
        restore(workplace, "--resume", "1")
    faults.check()
    assert len(guide.people) == 2


def test_nothing_can_be_chosen_anew(work: Workplace, sandbox: Sandbox):
    work.first_backup()
    sandbox.calls.clear()
    for text in (
        "--snapshot 2",
        "--at now",
        "--memori Guide",
        "--into Guide",
        "--kind person",
        "--key p-anna-1",
        "--delete-extra",
    ):
        outcome = work.run("restore", "--yes", "--resume", "1", *text.split())
        assert outcome.code == 2
        assert f"--resume does not go with {text.split()[0]}" in outcome.err
    assert not sandbox.calls


def test_an_id_that_is_not_known_is_refused_and_those_that_are_are_named(
    serve, workplace: Workplace, world: World, guide: Agent
):
    faults = FaultSet([Fault("/memori/v2/person/*", "POST", nth=1, **BUSY)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        unknown = workplace.run("restore", "--resume", "1", "--yes")
        assert unknown.code == 2
        assert "there is no restore 1" in unknown.err
        assert "no restore to go on with" in unknown.err
        del guide.people["p-anna-1"]
        cut(workplace, "--snapshot", "2")
        sandbox.calls.clear()
        unknown = workplace.run("restore", "--resume", "7", "--yes")
        assert "restores to go on with: 1" in unknown.err
        execute(workplace, "update source set gone_at = '2026-01-01 00:00:00' where id = 2")
        gone = workplace.run("restore", "--resume", "1", "--yes")
        assert gone.code == 2
        assert "'Guide', which is gone" in gone.err
        assert not sandbox.calls


def test_what_was_asked_for_by_an_older_version_is_all(serve, workplace: Workplace, world: World):
    faults = FaultSet([Fault("/memori/v2/person/*", "POST", nth=1, **BUSY)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        before = what_is_there(world)
        lose(world)
        cut(workplace, "--kind", "person")
        execute(workplace, "update restore set selection = null")
        assert restore(workplace, "--resume", "1")["verified"] is True
    assert what_is_there(world) == before


def test_a_mirror_of_the_version_before_keeps_its_restores(database: str):
    empty_database(database)
    mirror = Mirror(database, KINDS)
    config = schema.alembic_config()
    with mirror.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for table, values in (
            ("source (id, scope, name, remote_id)", "(1, 'memori', 'Guide', 'g')"),
            (
                "snapshot (id, run_id, source_id, started_at, status, reason)",
                "(1, 1, 1, '2026-01-01', 'complete', 'manual')",
            ),
            (
                "restore (id, source_id, wanted_snapshot_id, status, started_at)",
                "(1, 1, 1, 'incomplete', '2026-01-01')",
            ),
            (
                "restore_step (id, restore_id, op, kind, status)",
                "(1, 1, 'create', 'person', 'failed')",
            ),
        ):
            connection.execute(sa.text(f"insert into {table} values {values}"))
    mirror.migrate()
    mirror.check_version()
    with mirror.engine.connect() as connection:
        kept = connection.execute(sa.text("select id, selection from restore")).all()
        assert kept == [(1, None)]
        assert connection.execute(sa.text("select restore_id from restore_step")).scalar() == 1
    mirror.close()


# -- giving one up


LOST_THEN_CUT = (
    Fault("/memori/v2/person/*", "POST", nth=1, status=500, after=True),
    Fault("/memori/v2/memory/*", "POST", nth=1, **BUSY),
)
"""The answer to one call is lost, and nothing can be asked before the restore ends."""


def test_a_restore_that_is_given_up_is_closed_and_what_it_began_is_settled_by_the_next(
    serve, workplace: Workplace, world: World, database: str
):
    workplace.database = database
    with serve(world, faults=FaultSet([*LOST_THEN_CUT])) as sandbox:
        workplace.settle(sandbox, "concurrency = 1\n")
        workplace.first_backup()
        before = what_is_there(world)
        lose(world)
        cut(workplace, "--snapshot", "2")
        sandbox.calls.clear()
        told = workplace.run("restore", "--give-up", "1")
        assert told.code == 0
        assert "restore 1 of Guide, begun 20" in told.out
        assert "is given up: what it did stays (0 steps), and nothing was sent" in told.out
        assert "of 1 call nobody knows what came of it: the next restore into Guide" in told.out
        assert workplace.run("restore", "--give-up", "1", "-q").out.startswith("of 1 call nobody")
        told = workplace.run("restore", "--give-up", "1", "--json").json
        assert (told["status"], told["steps"]["begun"]) == ("given_up", 1)
        assert not sandbox.calls
        assert restores(workplace) == [(1, "given_up", 2, 1)]
        assert workplace.run("status", "--json").json["open_restores"] == []
        workplace.backup()
        assert workplace.run("prune", "--keep-last", "1").code == 0
        assert restore(workplace, "--snapshot", "2")["verified"] is True
    assert what_is_there(world) == before
    assert restores(workplace) == [(1, "given_up", 2, 1), (2, "complete", 2, 1)]
    assert workplace.sql("select count(*) from restore_step where status = 'begun'") == [(0,)]


def test_what_was_given_up_can_be_gone_on_with_all_the_same(
    serve, workplace: Workplace, world: World
):
    with serve(world, faults=FaultSet([*LOST_THEN_CUT])) as sandbox:
        workplace.settle(sandbox, "concurrency = 1\n")
        workplace.first_backup()
        before = what_is_there(world)
        lose(world)
        cut(workplace, "--snapshot", "2")
        assert workplace.run("restore", "--give-up", "1").code == 0
        assert restore(workplace, "--resume", "1")["verified"] is True
    assert what_is_there(world) == before
    assert restores(workplace) == [(1, "complete", 2, 1)]


def test_only_what_came_to_no_end_can_be_given_up(serve, workplace: Workplace, world: World):
    faults = FaultSet([Fault("/memori/v2/person/*", "POST", nth=1, **BUSY)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        lose(world)
        cut(workplace, "--snapshot", "2")

        def refused(*args: str) -> str:
            outcome = workplace.run("restore", *args)
            assert outcome.code == 2
            return outcome.err

        assert "restores to give up: 1" in refused("--give-up", "7")
        assert "--give-up does not go with --yes" in refused("--give-up", "1", "--yes")
        assert "--resume does not go with --give-up" in refused("--give-up", "1", "--resume", "1")
        restore(workplace, "--resume", "1")
        assert "there is nothing to give up" in refused("--give-up", "1")
        assert "there is no restore to give up" in refused("--give-up", "7")


def test_a_later_restore_takes_an_earlier_one_up_unless_less_was_asked_for(
    serve, workplace: Workplace, world: World
):
    busy = Fault("/memori/v2/memory/*", "POST", nth=1, times=2, **BUSY)

    def open_ids() -> list[int]:
        told = workplace.run("status", "--json").json["open_restores"]
        return [each["restore_id"] for each in told]

    with serve(world, faults=FaultSet([busy])) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        lose(world)
        cut(workplace, "--snapshot", "2")
        restore(workplace, "--snapshot", "2", "--kind", "person")
        world.agent("Guide").people.popitem()
        restore(workplace, "--snapshot", "2", "--kind", "person", "--delete-extra")
        assert open_ids() == [1]
        cut(workplace, "--snapshot", "2")
        assert open_ids() == [max(each[0] for each in restores(workplace))]
        told = workplace.run("restore", "--give-up", str(open_ids()[0]), "--json").json
        assert told["given_up_with_it"] == [1]
        assert open_ids() == []


@pytest.mark.parametrize(
    ("earlier", "later", "left"),
    [
        ({}, {}, [2]),
        ({"kinds": ["person"]}, {}, [2]),
        ({}, {"kinds": ["person"]}, [1, 2]),
        ({"kinds": ["person"]}, {"kinds": ["memory", "person"]}, [2]),
        ({"kinds": ["memory", "person"]}, {"kinds": ["person"]}, [1, 2]),
        ({"kinds": ["person"], "keys": ["a"]}, {"kinds": ["person"]}, [2]),
        ({"kinds": ["person"]}, {"kinds": ["person"], "keys": ["a"]}, [1, 2]),
        ({"kinds": ["person"], "keys": ["a"]}, {"kinds": ["person"], "keys": ["a", "b"]}, [2]),
        ({"kinds": ["person"], "keys": ["a"]}, {"kinds": ["memory"], "keys": ["a"]}, [1, 2]),
        ({"delete_extra": True}, {"delete_extra": False}, [1, 2]),
        ({"delete_extra": False}, {"delete_extra": True}, [2]),
        ({"recreate": True}, None, [1, 2]),
        (None, {}, [2]),
        (None, {"kinds": ["person"]}, [1, 2]),
    ],
)
def test_a_restore_goes_for_all_of_another_if_it_was_asked_for_no_less(
    earlier: dict | None, later: dict | None, left: list[int]
):
    target, now = Source(1, Scope.MEMORI, "Guide", "g"), datetime.now(UTC)

    def past(number: int, selection: dict | None) -> PastRestore:
        return PastRestore(number, target, 1, Status.INTERRUPTED, now, now, selection)

    found = open_restores([past(1, earlier), past(2, later)])
    assert [each.id for each in found] == left


# -- where the ids are seen


def test_status_names_the_restores_that_are_not_complete(serve, workplace: Workplace, world: World):
    faults = FaultSet([Fault("/memori/v2/person/*", "POST", nth=1, **BUSY)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        lose(world)
        cut(workplace, "--snapshot", "2")
        (told,) = workplace.run("status", "--json").json["open_restores"]
        assert (told["restore_id"], told["snapshot_id"], told["status"]) == (1, 2, "incomplete")
        assert told["finished_at"] > told["started_at"]
        assert "`restore --resume 1` goes on from there" in workplace.run("status").out
        restore(workplace, "--resume", "1")
        assert workplace.run("status", "--json").json["open_restores"] == []


def test_a_restore_that_leaves_something_undone_says_how_to_go_on(
    serve, workplace: Workplace, world: World, guide: Agent
):
    faults = FaultSet([Fault("/memori/v2/person/*", "POST", nth=1, status=422, body=REFUSAL)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        del guide.people["p-anna-1"]
        outcome = workplace.run("restore", "--yes", "--snapshot", "2")
    assert outcome.code == 3
    assert "aisuru-sync restore --resume 1" in outcome.out


def test_what_a_dead_process_left_running_is_not_told_as_running(
    work: Workplace, world: World, database: str, sandbox: Sandbox
):
    work.database = database
    work.settle(sandbox)
    work.first_backup()
    lose(world)
    restore(work, "--snapshot", "2")
    execute(work, "update restore set status = 'running'")
    ((last,),) = work.sql("select max(id) from snapshot where source_id = 2")
    execute(work, f"update snapshot set status = 'running' where id = {last}")

    def told() -> tuple[str, str]:
        document = work.run("status", "--json").json
        (open_restore,) = document["open_restores"]
        return open_restore["status"], document["sources"][1]["last_snapshot"]["status"]

    assert told() == ("interrupted", "interrupted")
    assert "restore 1 of Guide, begun" in work.run("status").out
    engine = sa.create_engine(database)
    with hold(engine, "a backup"):
        assert told() == ("running", "running")
        assert "--resume" not in work.run("status").out
    engine.dispose()
    assert told() == ("interrupted", "interrupted")


# -- what the mirror alone knows


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (("--kind", "nope"), "cannot restore nope"),
        (("--kind", "person", "--key", "nope"), "holds no nope"),
        (("--kind", "asset", "--key", "nope"), "holds no nope"),
        (("--key", "p-anna-1"), "exactly one --kind"),
        (("--delete-extra", "--accept-deletions", "nope=1"), "cannot restore nope"),
        (("--into", "Twin", "--kind", "person", "--key", "nope"), "holds no nope"),
    ],
)
def test_what_is_not_in_the_mirror_is_refused_before_anyone_logs_in(
    work: Workplace, sandbox: Sandbox, args: tuple[str, ...], part: str
):
    work.first_backup()
    sandbox.calls.clear()
    for how in ("--yes", "--dry-run"):
        outcome = work.run("restore", how, *args)
        assert outcome.code == 2
        assert part in outcome.err
    assert not sandbox.calls


def test_an_object_of_the_account_is_found_before_and_after(work: Workplace, world: World):
    work.first_backup()
    (name,) = world.assets
    world.assets.clear()
    result = restore(work, "--kind", "asset", "--key", name.removesuffix(".png"))
    assert result["steps"]["upload"] == 1
