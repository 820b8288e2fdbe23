"""What whole-command tests share: a sandbox under contract, a folder with settings, the command."""

import functools
import gc
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import hypothesis
import made_once
import pytest
import sqlalchemy as sa
import structlog
from contract import Contract
from file_host import FileHost
from first_backup import FirstBackups
from places import SIDE_BY_SIDE, Driver, Places
from tidy import Tidy
from workplace import Workplace, fill

from sync.sandbox import Sandbox, World

hypothesis.settings.register_profile("ci", derandomize=True, deadline=None, max_examples=50)
hypothesis.settings.register_profile("by_hand", deadline=None, max_examples=5000)
hypothesis.settings.load_profile("ci")

POSTGRES = os.environ.get(
    "AISURU_SYNC_TEST_POSTGRES", "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
)


def postgres_or_skip() -> sa.Engine:
    engine = sa.create_engine(POSTGRES, isolation_level="AUTOCOMMIT")
    try:
        engine.connect().close()
    except sa.exc.OperationalError as error:
        engine.dispose()
        pytest.skip(f"no PostgreSQL at $AISURU_SYNC_TEST_POSTGRES: {error.orig}")
    return engine


def pytest_report_header(config: pytest.Config) -> str:
    if config.getoption("--hypothesis-profile"):
        return ""
    return "hypothesis: derandomized, so every run tries the same examples"


@pytest.fixture(scope="session", autouse=True)
def _made_once() -> Any:
    # What is there by now stays: to look through it again and again is a tenth of the time.
    gc.freeze()
    gc.set_threshold(100_000)
    with pytest.MonkeyPatch.context() as patch:
        made_once.share(patch)
        yield


@pytest.fixture(autouse=True)
def _clean_process(monkeypatch: pytest.MonkeyPatch) -> Any:
    """No test inherits settings, or leaves its logging behind."""
    for name in [each for each in os.environ if each.startswith("AISURU_SYNC_")]:
        monkeypatch.delenv(name)
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    yield
    root.handlers, root.level = list(before[0]), before[1]
    structlog.reset_defaults()


@pytest.fixture
def host() -> Iterator[FileHost]:
    """Another host, with files of its own."""
    with FileHost() as host:
        yield host


@pytest.fixture
def contract() -> Any:
    contract = Contract()
    yield contract
    contract.check()


@pytest.fixture
def world() -> World:
    """An account with one agent, Guide, that knows a person, two contents and a picture."""
    world = World.empty()
    fill(world, world.add_agent("Guide"))
    return world


@pytest.fixture
def serve(contract: Contract) -> Callable[..., Sandbox]:
    """Make a sandbox whose every answer, and every request to it, is held to the contract."""
    return functools.partial(Sandbox, middleware=contract.wrap)


@pytest.fixture
def sandbox(world: World, serve: Callable[..., Sandbox]) -> Any:
    with serve(world) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def first_backups(tmp_path_factory: pytest.TempPathFactory) -> FirstBackups:
    """What first backups made, to be copied."""
    return FirstBackups(tmp_path_factory.mktemp("first-backups"))


@pytest.fixture
def workplace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], first_backups: FirstBackups
) -> Workplace:
    """A folder with no settings yet; the mirror will be SQLite."""
    return Workplace(tmp_path, capsys, "sqlite:///mirror.db", first_backups)


@pytest.fixture(scope="session")
def postgres() -> Any:
    """The URL of a PostgreSQL database of our own."""
    server = postgres_or_skip()
    name = f"aisuru_sync_test_{os.getpid()}"
    with server.connect() as connection:
        connection.execute(sa.text(f"create database {name}"))
        # Tests kill the command, never the server: no commit need wait for the disk.
        connection.execute(sa.text(f"alter database {name} set synchronous_commit = off"))
    yield server.url.set(database=name).render_as_string(hide_password=False)
    with server.connect() as connection:
        connection.execute(sa.text(f"drop database {name} with (force)"))
    server.dispose()


@pytest.fixture(scope="session")
def tidy(postgres: str) -> Tidy:
    return Tidy(postgres)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without a row, on each of the two servers in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/mirror.db"
    tidy: Tidy = request.getfixturevalue("tidy")
    return tidy.give()


@pytest.fixture
def work(workplace: Workplace, sandbox: Sandbox) -> Workplace:
    """A folder with settings for the sandbox."""
    workplace.settle(sandbox)
    return workplace


@pytest.fixture
def backed_up(workplace: Workplace, sandbox: Sandbox, database: str) -> Workplace:
    """A folder with a mirror of the world, on either database."""
    workplace.database = database
    workplace.settle(sandbox)
    workplace.first_backup()
    return workplace


@pytest.fixture(params=["sqlite", "postgresql"])
def places(
    request: pytest.FixtureRequest, workplace: Workplace, sandbox: Sandbox
) -> Iterator[Places]:
    is_server = request.param == "postgresql"
    postgres = request.getfixturevalue("postgres") if is_server else None
    with ExitStack() as stack:
        yield Places(workplace, sandbox, postgres, stack)


@pytest.fixture
def drivers() -> Iterator["SimpleQueue[Driver]"]:
    made = [Driver() for _ in range(SIDE_BY_SIDE)]
    free: SimpleQueue[Driver] = SimpleQueue()
    for each in made:
        free.put(each)
    yield free
    for each in made:
        each.close()
