"""Places with mirrors of their own, and drivers that run commands there and die of it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import sqlalchemy as sa
from workplace import Workplace

from sync.kinds import KINDS
from sync.sandbox import Sandbox

TESTS = Path(__file__).parent
SIDE_BY_SIDE = 2


class Driver:
    """One `die_at_commit.py`, which takes one job at a time."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(TESTS / "die_at_commit.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __call__(
        self,
        *commands: list[str],
        commit: int = 0,
        after: bool = False,
        number: int = signal.SIGKILL,
        every: bool = False,
        counted: str = "",
        unlinks: bool = False,
    ) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        job = {
            "commit": commit,
            "after": after,
            "signal": number,
            "every": every,
            "counted": counted,
            "unlinks": unlinks,
            "commands": commands,
        }
        self._process.stdin.write(json.dumps(job) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=60)


@dataclass
class Place:
    """A folder with settings and a mirror of its own."""

    folder: Path
    database: str
    engine: sa.Engine = field(init=False)

    def __post_init__(self) -> None:
        self.engine = sa.create_engine(self.database)

    def command(self, *args: str) -> list[str]:
        return [*args, "--config", str(self.folder / "aisuru-sync.toml")]

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(sa.text(query))]

    def what_is_kept(self) -> dict[str, Any]:
        """All that a run should lead to, however often it was begun."""
        mark = self.folder / "files" / "mirror"
        files = [each for each in (self.folder / "files").rglob("*") if each.is_file()]
        kept: dict[str, Any] = {
            kind: self.sql(
                f"select s.name, k.key, k.document from {kind} k"
                " join source s on s.id = k.source_id order by s.name, k.key"
            )
            for kind in (*KINDS, "file")
        }
        return kept | {
            "history": self.sql(
                "select s.name, c.kind, c.key, c.op, c.digest from change c"
                " join source s on s.id = c.source_id order by s.name, c.kind, c.key, c.id"
            ),
            "blobs": {
                str(each.relative_to(self.folder)): each.read_bytes()
                for each in files
                if each != mark
            },
            "is_ours": self.sql("select mirror_id from mirror") == [(mark.read_text().strip(),)],
        }


class Places:
    """Makes folders, empty or as copies, each with a database of its own.

    Attributes:
        step: on SQLite all commits are tried, on PostgreSQL, which is slower to make, one in 12.
    """

    def __init__(
        self, workplace: Workplace, sandbox: Sandbox, postgres: str | None, stack: ExitStack
    ) -> None:
        self._workplace = workplace
        self._sandbox = sandbox
        self._postgres = postgres
        self._stack = stack
        self.step = 12 if postgres else 1
        self._numbers = 0
        self._lock = threading.Lock()
        if postgres:
            self._server = sa.create_engine(postgres, isolation_level="AUTOCOMMIT")
            stack.callback(self._server.dispose)

    def make(self, original: Place | None = None, sandbox: Sandbox | None = None) -> Place:
        with self._lock:
            self._numbers += 1
            folder = self._workplace.folder / str(self._numbers)
            if original:
                shutil.copytree(original.folder, folder)
            else:
                folder.mkdir()
            place = Place(folder, self._database(folder, original))
            self._stack.callback(self._drop, place)
            there = replace(self._workplace, folder=folder, database=place.database)
            there.settle(sandbox or self._sandbox)
            return place

    def _database(self, folder: Path, original: Place | None) -> str:
        if not self._postgres:
            return f"sqlite:///{folder}/mirror.db"
        name = f"aisuru_sync_crash_{os.getpid()}_{self._numbers}"
        template = original.engine.url.database if original else "template1"
        with self._server.connect() as connection:
            connection.execute(sa.text(f"create database {name} template {template}"))
        url: str = self._server.url.set(database=name).render_as_string(hide_password=False)
        return url

    def _drop(self, place: Place) -> None:
        place.engine.dispose()
        if self._postgres:
            with self._server.connect() as connection:
                name = place.engine.url.database
                connection.execute(sa.text(f"drop database {name} with (force)"))


def side_by_side(drivers: "SimpleQueue[Driver]", work: Callable[[Driver, int], None], top: int):
    """Do what is numbered from 1 to `top`, each with a driver of its own."""

    def one(number: int) -> None:
        driver = drivers.get()
        try:
            work(driver, number)
        finally:
            drivers.put(driver)

    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        list(pool.map(one, range(1, top + 1)))


def succeeds(outcome: Any, *codes: int) -> None:
    assert [code for code, _, _ in outcome["done"]] == list(codes), outcome
    assert outcome["ended"] == 0
