"""Nothing that opens a door is printed, logged, stored or left in a file."""

import json
import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from workplace import Workplace, fill

from sync.sandbox import Fault, FaultSet, World

AUTHOR = "5e551000-0000-4000-8000-0000000000aa"
PASSWORDS = ("Correct-horse-1", "own-Pa55word", "s3cret-token-private", "271828")


@pytest.fixture
def handed_out(contract):
    """Every session ID and token that the sandbox gives to anyone."""
    return set()


@pytest.fixture
def listening(serve, handed_out):
    """Make a sandbox whose credentials are written down as it hands them out."""

    def middleware(app):
        def call(environ, start_response):
            body = b"".join(app(environ, start_response))
            if environ["PATH_INFO"].lower() in ("/memori/v2/session", "/api/v2/login"):
                answer = json.loads(body)
                handed_out.update(filter(None, (answer.get("sessionID"), answer.get("token"))))
            return [body]

        return call

    inner = serve.keywords["middleware"]

    def make(world, **options):
        return serve(world, middleware=lambda app: middleware(inner(app)), **options)

    return make


def everything_in(database: str, folder: Path) -> str:
    """All that is stored: every row of every table, and every byte of every file."""
    kept = []
    engine = sa.create_engine(database)
    with engine.connect() as connection:
        metadata = sa.MetaData()
        metadata.reflect(engine)
        for table in metadata.sorted_tables:
            kept += [str(tuple(row)) for row in connection.execute(sa.select(table))]
    engine.dispose()
    secret_file = folder / "password"
    for path in folder.rglob("*"):
        if path.is_file() and path != secret_file:
            kept.append(path.read_bytes().decode("latin-1"))
    return "\n".join(kept)


def test_no_credential_is_told_or_kept_whatever_goes_wrong(
    workplace: Workplace, world: World, listening, handed_out, database
):
    workplace.database = database
    private = world.add_agent("Private")
    fill(world, private)
    private.settings.update(privacyType="PRIVATE", secretToken="s3cret-token-private")
    locked = world.add_agent("Locked")
    locked.settings["privacyType"] = "SECRET"
    locked.password = "own-Pa55word"
    text = f"see https://assets.memori.ai/api/v2/asset/a-b.png/{AUTHOR} and so on"
    world.agent("Guide").memories["m-tale-1"]["answers"][0]["text"] = text
    wrong_session = {"resultCode": 404, "resultMessage": f'Session with ID "{AUTHOR}" not found'}

    def kill(sandbox) -> None:
        with sandbox.lock:
            sandbox.sessions.clear()
            sandbox.tokens.clear()

    faults = FaultSet(
        [
            Fault(path="/memori/v2/people/*", nth=1, status=503, body="<html>"),
            Fault(path="/memori/v2/memories/*", nth=1, do=kill),
            Fault(path="/memori/v2/localizationkeys/*", nth=2, cut=30),
            Fault(path="/api/v2/asset/*", nth=2, status=200, body=json.dumps(wrong_session)),
            Fault(path="/api/v2/badges/*", nth=1, status=302, headers={"Location": "http://x/"}),
        ]
    )

    def ruin(_) -> None:
        private.memories.clear()
        private.settings["description"] = "changed"

    more = '[[memori]]\nname = "Guide"\n[[memori]]\nname = "Private"\n[[memori]]\nname = "Locked"\n'
    with listening(world, faults=faults) as sandbox:
        workplace.settle(sandbox, more, retry_s=2)
        for args in (
            ["backup", "-v"],
            ["backup", "-v", "--json"],
            ["config", "check", "--online", "-v"],
            ["snapshots", "--json"],
            ["check", "--json"],
            ["export", str(workplace.folder / "out"), "-v", "--with-pins"],
            ["restore", "--memori", "Private", "--dry-run", "-v"],
            ["restore", "--memori", "Private", "--yes", "-v", "--json"],
        ):
            if args[0] == "restore":
                ruin(sandbox)
            workplace.run(*args)
        (workplace.folder / "password").write_text("Wr0ng-password")
        workplace.run("backup", "-v")
    faults.check()

    told = "\n".join(workplace.spoken)
    kept = everything_in(database, workplace.folder)
    assert len(handed_out) >= 6
    assert "session.opened" in told
    assert "step.done" in told
    assert "001234" in (workplace.folder / "out" / "Guide" / "people.csv").read_text("utf-8")
    for secret in (*handed_out, AUTHOR, *PASSWORDS, "Wr0ng-password"):
        assert secret not in told
        assert secret not in kept
    # The grep can find what is there.
    assert "001234" in kept
    assert re.search(r"~[0-9a-f]{16}", kept)


def test_a_grep_of_the_mirror_would_find_a_secret_that_is_there(tmp_path: Path):
    (tmp_path / "x").write_bytes(b"AA" + AUTHOR.encode())
    assert AUTHOR in everything_in(f"sqlite:///{tmp_path}/none.db", tmp_path)
