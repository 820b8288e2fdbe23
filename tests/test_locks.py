"""One process writes a mirror at a time, whoever they are and however they end."""

import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa
from workplace import Workplace, empty_database

from sync.mirror.database import open_database
from sync.mirror.lock import hold, is_held
from sync.sandbox import Fault, FaultSet, Sandbox, World


@dataclass
class Gate:
    """Where a backup waits, in the middle of its run, once the gate is shut."""

    is_shut: bool = False
    reached: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)

    def pass_through(self, _: Sandbox) -> None:
        if self.is_shut:
            self.reached.set()
            self.opened.wait(60)

    def open(self) -> None:
        self.is_shut = False
        self.opened.set()


@pytest.fixture
def gate() -> Iterator[Gate]:
    gate = Gate()
    yield gate
    gate.open()


@pytest.fixture
def work(
    serve: Callable[..., Sandbox], workplace: Workplace, world: World, database: str, gate: Gate
) -> Iterator[Workplace]:
    faults = FaultSet([Fault(path="/memori/v2/memories/*", do=gate.pass_through)])
    workplace.database = database
    empty_database(database)
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        yield workplace
        gate.open()


@pytest.fixture
def start(work: Workplace) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Begin a backup as a process of its own."""
    started = []

    def start() -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "sync", "backup", "--config", str(work.config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for each in started:
        each.kill()
        each.communicate(timeout=30)


def test_who_writes_is_told_to_other_writers_and_readers_go_on(
    work: Workplace, gate: Gate, start: Callable[[], subprocess.Popen[str]]
):
    work.backup()
    gate.is_shut = True
    holder = start()
    assert gate.reached.wait(30)

    for args in (["backup"], ["migrate"], ["restore", "--memori", "Guide", "--yes"]):
        outcome = work.run(*args, "--json")
        assert outcome.code == 11, outcome
        message = outcome.json["error"]["message"]
        assert message.endswith(f"a backup (process {holder.pid})"), message
        assert outcome.json["error"]["hint"]
    for args in (["snapshots"], ["check"], ["show", "person", "p-anna-1"]):
        assert work.run(*args).code == 0

    gate.open()
    _, err = holder.communicate(timeout=30)
    assert holder.returncode == 0, err
    assert work.run("migrate").code == 0


def test_who_writes_into_another_database_of_the_server_is_not_taken_for_who_writes_here(
    work: Workplace, gate: Gate, start: Callable[[], subprocess.Popen[str]]
):
    if not work.database.startswith("postgresql"):
        pytest.skip("a SQLite mirror has no server")
    gate.is_shut = True
    server = sa.create_engine(work.database, isolation_level="AUTOCOMMIT")
    with server.connect() as connection, ExitStack() as stack:

        def write_elsewhere(number: int) -> None:
            name = f"{server.url.database}_{number}"
            connection.execute(sa.text(f"create database {name}"))
            stack.callback(connection.execute, sa.text(f"drop database {name} with (force)"))
            other = open_database(
                server.url.set(database=name).render_as_string(hide_password=False)
            )
            stack.callback(other.dispose)
            stack.enter_context(hold(other, "a restore"))

        # Whichever the server names first, ours is neither the first nor the last.
        write_elsewhere(1)
        write_elsewhere(2)
        holder = start()
        assert gate.reached.wait(30)
        write_elsewhere(3)
        write_elsewhere(4)
        outcome = work.run("backup", "--json")
    server.dispose()
    assert outcome.code == 11
    assert outcome.json["error"]["message"].endswith(f"a backup (process {holder.pid})"), outcome


def test_a_lock_is_free_as_soon_as_its_holder_was_killed(
    work: Workplace, gate: Gate, start: Callable[[], subprocess.Popen[str]]
):
    gate.is_shut = True
    holder = start()
    assert gate.reached.wait(30)

    holder.send_signal(signal.SIGKILL)
    holder.wait(30)
    gate.open()

    work.backup()
    assert work.sql("select status from snapshot order by id") == [
        ("interrupted",),
        ("interrupted",),
        ("complete",),
        ("complete",),
    ]


def test_of_several_that_start_at_once_on_nothing_one_writes(
    work: Workplace, gate: Gate, start: Callable[[], subprocess.Popen[str]]
):
    gate.is_shut = True
    processes = [start() for _ in range(3)]
    with ThreadPoolExecutor(len(processes)) as pool:
        ends = {pool.submit(each.communicate, timeout=60) for each in processes}
        running = ends
        while len(running) > 1:
            _, running = wait(running, return_when=FIRST_COMPLETED)
        assert gate.reached.wait(30)
        gate.open()
        errors = [each.result()[1] for each in ends]

    assert sorted(each.returncode for each in processes) == [0, 11, 11], errors
    assert len(work.sql("select id from snapshot")) == 2
    assert work.run("check").code == 0


def test_one_command_after_another_finds_the_mirror_free(work: Workplace):
    database = work.database.replace("///mirror", f"///{work.folder}/mirror")
    first, next_one = (open_database(database) for _ in range(2))
    for _ in range(20):
        with hold(first, "a backup"):
            assert is_held(next_one)
        assert not is_held(next_one)
    first.dispose()
    next_one.dispose()
