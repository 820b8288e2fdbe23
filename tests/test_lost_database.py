"""PostgreSQL goes away in the middle of a backup: a clean end with 8, and the next run heals."""

import itertools
import subprocess
import sys
from collections.abc import Callable

import pytest
import sqlalchemy as sa
from test_locks import Gate
from workplace import Workplace

from sync.sandbox import Fault, FaultSet, Sandbox, World

WHICH = {
    "all": "true",
    "the one that works": "application_name not like 'aisuru-sync%'",
    "the one that holds the lock": "application_name like 'aisuru-sync%'",
}
MOMENTS = {
    "while the agents are listed": ("GET", "/api/v2/memori/*"),
    "while a session is opened": ("POST", "/memori/v2/session"),
    "while people are listed": ("GET", "/memori/v2/people/*"),
    "while contents are listed": ("GET", "/memori/v2/memories/*"),
    "while a file is fetched": ("GET", "/api/v2/asset/*"),
    "while the session is closed": ("DELETE", "/memori/v2/session/*"),
}
PASSWORD = "s3cr3t-of-the-database"


def cut_off(url: str, which: str) -> int:
    """End connections of the product, wait until they are gone; returns how many there were."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    query = (
        "select pg_terminate_backend(pid, 10000) from pg_stat_activity"
        f" where datname = current_database() and pid <> pg_backend_pid() and {WHICH[which]}"
    )
    with engine.connect() as connection:
        ended = connection.execute(sa.text(query)).scalars().all()
    engine.dispose()
    return sum(ended)


class Cut:
    """Cuts connections off at a moment, once it is armed."""

    def __init__(self, url: str, which: str) -> None:
        self.is_armed = False
        self.count = 0
        self._url = url
        self._which = which

    def strike(self, _: Sandbox) -> None:
        if self.is_armed:
            self.is_armed = False
            self.count = cut_off(self._url, self._which)


@pytest.fixture
def server(workplace: Workplace, postgres: str) -> str:
    """An empty PostgreSQL database, and settings that hold a password for it."""
    engine = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("drop schema public cascade"))
        connection.execute(sa.text("create schema public"))
    engine.dispose()
    url = sa.make_url(postgres).set(password=PASSWORD)
    workplace.database = url.render_as_string(hide_password=False)
    return workplace.database


def check_that_it_heals(work: Workplace) -> None:
    work.backup()
    statuses = {status for (status,) in work.sql("select status from snapshot")}
    assert "running" not in statuses
    last = work.sql("select status from snapshot order by id desc limit 2")
    assert last == [("complete",), ("complete",)]
    assert not work.sql("select 1 from change where op = 'deleted'")
    before = work.sql("select count(*) from change")
    work.backup()
    assert work.sql("select count(*) from change") == before
    assert work.run("check").code == 0


def lose(
    serve: Callable[..., Sandbox], work: Workplace, world: World, server: str, which: str, when: str
) -> None:
    cut = Cut(server, which)
    method, path = MOMENTS[when]
    faults = FaultSet([Fault(method=method, path=path, do=cut.strike)])
    with serve(world, faults=faults) as sandbox:
        work.settle(sandbox)
        assert work.run("migrate").code == 0
        cut.is_armed = True
        outcome = work.run("backup")
        assert cut.count
        assert outcome.code == 8, outcome
        assert "error: the database failed: " in outcome.err
        assert "hint: " in outcome.err
        assert "Traceback" not in outcome.err
        assert PASSWORD not in outcome.err
        assert not sandbox.sessions
        assert not sandbox.tokens
        check_that_it_heals(work)
    faults.check()


@pytest.mark.parametrize(
    ("when", "which"), [*zip([*MOMENTS][1:], itertools.cycle(["all", "the one that works"]))]
)
def test_a_database_that_is_lost_in_a_run_ends_it_with_8_and_the_next_run_heals(
    serve: Callable[..., Sandbox],
    workplace: Workplace,
    world: World,
    server: str,
    which: str,
    when: str,
):
    lose(serve, workplace, world, server, which, when)


@pytest.mark.parametrize("when", [*MOMENTS][::2])
def test_a_run_that_lost_its_lock_writes_nothing_more_and_ends_with_8(
    serve: Callable[..., Sandbox], workplace: Workplace, world: World, server: str, when: str
):
    lose(serve, workplace, world, server, "the one that holds the lock", when)


def test_a_run_that_lost_its_lock_to_another_one_leaves_the_mirror_to_it(
    serve: Callable[..., Sandbox], workplace: Workplace, world: World, server: str
):
    gate = Gate(is_shut=True)
    faults = FaultSet([Fault(path="/memori/v2/people/*", do=gate.pass_through)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        first = subprocess.Popen(
            [sys.executable, "-m", "sync", "backup", "--config", str(workplace.config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert gate.reached.wait(30)
        gate.is_shut = False
        assert cut_off(server, "the one that holds the lock") == 1
        workplace.backup()
        history = workplace.sql("select id, snapshot_id from change order by id")
        gate.open()
        _, err = first.communicate(timeout=30)

        assert first.returncode == 8, err
        assert "Traceback" not in err
        assert workplace.sql("select id, snapshot_id from change order by id") == history
        check_that_it_heals(workplace)
