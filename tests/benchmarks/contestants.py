"""Who is compared: how each is called, and where it keeps what it saw."""

import os
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Task:
    """One series of syncs into one fresh database.

    Attributes:
        url: of the page server.
        folder: where the contestant may write.
        python: {contestant: the interpreter it runs under}.
    """

    url: str
    folder: Path
    page_size: int
    concurrency: int
    python: Mapping[str, str]


@dataclass(frozen=True)
class Contestant:
    """A program that mirrors people into SQLite.

    Attributes:
        command: how to call it for a task; called again, it syncs again.
        database: the file's name in the task's folder.
        current: selects key and information of everyone whom it takes for living.
        deleted: selects the keys that it takes for deleted.
    """

    name: str
    command: Callable[[Task], list[str]]
    database: str
    current: str
    deleted: str


def settings_of(url: str, folder: Path, backup: str) -> Path:
    """Settings for ours: a remote on loopback, everything in one folder.

    Args:
        url: of the remote.
        folder: to write to.
        backup: what stands under `[backup]`.
    """
    config = folder / "aisuru-sync.toml"
    config.write_text(
        f"""\
[account]
backend_url = "{url}"
engine_url = "{url}"
user = "bench"
[storage]
database = "sqlite:///mirror.db"
files = "files"
[backup]
{backup}
"""
    )
    return config


def _ours(task: Task) -> list[str]:
    backup = f"page_size = {task.page_size}\nconcurrency = {task.concurrency}"
    config = settings_of(task.url, task.folder, backup)
    command = [task.python["ours"], "-m", "sync", "backup", "--kind", "person"]
    return [*command, "--config", str(config)]


def _peer(name: str) -> Callable[[Task], list[str]]:
    def command(task: Task) -> list[str]:
        program = HERE / ("dlt_peer.py" if name == "dlt" else "script.py")
        place = task.folder / f"{name}.db"
        return [task.python[name], str(program), task.url, str(task.page_size), str(place)]

    return command


CONTESTANTS = {
    each.name: each
    for each in (
        Contestant(
            name="ours",
            command=_ours,
            database="mirror.db",
            current="SELECT key, information FROM person",
            deleted="SELECT key FROM change WHERE kind = 'person' AND op = 'deleted'",
        ),
        Contestant(
            name="script",
            command=_peer("script"),
            database="script.db",
            current="SELECT personID, information FROM person",
            deleted="SELECT NULL WHERE FALSE",
        ),
        Contestant(
            name="dlt",
            command=_peer("dlt"),
            database="dlt.db",
            current="SELECT person_id, information FROM person WHERE _dlt_valid_to IS NULL",
            deleted="SELECT person_id FROM person GROUP BY person_id"
            " HAVING count(*) = count(_dlt_valid_to)",
        ),
    )
}


def environment(checkout: Path) -> dict[str, str]:
    """What contestants find in their environment: our code, no settings, nobody told of it."""
    mine = {name: value for name, value in os.environ.items() if "AISURU_SYNC" not in name}
    return {
        **mine,
        "PYTHONPATH": str(checkout),
        "AISURU_SYNC_PASSWORD": "bench",
        "RUNTIME__DLTHUB_TELEMETRY": "false",
    }


def ask(contestant: Contestant, folder: Path, query: str) -> list[tuple[Any, ...]]:
    """What a query on a contestant's database gives."""
    with closing(sqlite3.connect(folder / contestant.database)) as database:
        return database.execute(query).fetchall()
