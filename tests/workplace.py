"""A folder with settings and the command to run in it, and a small world to back up."""

import copy
import json
import random
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from first_backup import FirstBackups

from sync import config
from sync.api.account import Account
from sync.app import App
from sync.cli import run
from sync.redact import Redactor
from sync.sandbox import Agent, Asset, Sandbox, World
from sync.stop import Stop

SETTINGS = """\
[account]
backend_url = "{url}"
engine_url = "{url}"
asset_urls = ["{assets}"]
user = "{user}"
password_file = "password"

[storage]
database = "{database}"
files = "files"

[backup]
retry_s = {retry_s}
"""


@dataclass
class Outcome:
    """How one call of the command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.out)


@dataclass
class Workplace:
    """A folder with settings, and the command to run in it."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    database: str
    first_backups: FirstBackups
    spoken: list[str] = field(default_factory=list, repr=False)
    sandbox: Sandbox | None = None

    @property
    def config(self) -> Path:
        return self.folder / "aisuru-sync.toml"

    @property
    def files(self) -> Path:
        return self.folder / "files"

    def stored(self) -> list[Path]:
        """All that lies in the folder of files, wherever, but the mark of whose it is."""
        found = (each for each in self.files.rglob("*") if each.is_file())
        return [each for each in found if each != self.files / "mirror"]

    def settle(self, sandbox: Sandbox, more: str = "", *, retry_s: float = 0, **over: str) -> None:
        self.sandbox = sandbox
        account = sandbox.world.account
        urls = {"url": sandbox.url, "assets": sandbox.url}
        facts = {**urls, "user": account.user_name, "database": self.database, **over}
        self.config.write_text(SETTINGS.format(retry_s=retry_s, **facts) + more)
        secret = self.folder / "password"
        secret.touch(mode=0o600)
        secret.write_text(over.get("password", account.password))

    def run(self, *args: str) -> Outcome:
        self.capsys.readouterr()
        code = run([*args, "--config", str(self.config)])
        out, err = self.capsys.readouterr()
        self.spoken += [out, err]
        return Outcome(code, out, err)

    def connect(self) -> AbstractContextManager[Account]:
        """The account of these settings, for tests that make calls of their own."""
        settings = config.load(self.config, {})
        return App(settings, Stop(), Redactor()).account()

    def backup(self, *args: str, code: int = 0) -> dict[str, Any]:
        outcome = self.run("backup", "--json", *args)
        assert outcome.code == code, outcome
        assert outcome.json["exit_code"] == code
        return outcome.json

    def first_backup(self) -> dict[str, Any]:
        """Have a mirror of the sandbox as it is now, as the first backup makes it and tells."""
        assert self.sandbox
        place = self.sandbox.world, self.database, self.folder
        told = self.first_backups.put(*place)
        if told is None:
            told = self.backup()
            self.first_backups.keep(*place, told)
        return told

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        engine = sa.create_engine(self.database.replace("///mirror", f"///{self.folder}/mirror"))
        with engine.connect() as connection:
            rows = [tuple(row) for row in connection.execute(sa.text(query))]
        engine.dispose()
        return rows


def kind(result: dict[str, Any], source: str, name: str) -> dict[str, Any]:
    """One kind of one source in the JSON of a backup."""
    found = [each for each in result["snapshots"] if each["source"]["name"] == source]
    return found[0]["kinds"][name]


def fill(world: World, agent: Agent) -> None:
    """Teach an agent a little: a person, two contents, a medium with its asset."""
    audit = {
        "creationTimestamp": "2024-02-01T10:00:00Z",
        "creationSessionID": "5e551000-0000-4000-8000-0000000000aa",
        "lastChangeTimestamp": "2024-02-01T10:00:00Z",
        "lastChangeSessionID": "5e551000-0000-4000-8000-0000000000aa",
    }
    n = len(world.agents)
    person, memory, story = f"p-anna-{n}", f"m-hours-{n}", f"m-tale-{n}"
    file_name = f"0000000{n}-aaaa-4bbb-8ccc-000000000001.png"
    url = f"https://assets.memori.ai/api/v2/asset/{file_name}"
    agent.people[person] = {
        "personID": person,
        "personType": "Receiver",
        "name": "Anna",
        "information": None,
        "pin": "001234",
        "tag": "🦊",
        **audit,
    }
    medium = {
        "mediumID": f"x-map-{n}",
        "url": url,
        "content": None,
        "mimeType": "image/png",
        "title": "map",
        "properties": {},
        **audit,
    }
    for key, title, media in ((memory, "Opening hours", [medium]), (story, "The bell", [])):
        agent.memories[key] = {
            "memoryID": key,
            "memoryType": "Question",
            "title": title,
            "titleVariants": [],
            "answers": [{"text": f"About {title}", "preformatted": False, **audit}],
            "media": media,
            "receiverID": person if key == story else None,
            "lastRead": None,
            "readOccurrences": 0,
            "hints": [],
            "tags": ["demo"],
            "contextVarsToSet": {},
            "contextVarsToMatch": {},
            **audit,
        }
    world.assets[file_name] = Asset(
        document={
            "assetID": file_name.removesuffix(".png"),
            "assetURL": url,
            "mimeType": "image/png",
            "originalFileName": "map",
            "memoriID": agent.memori_id,
            "engineMemoryID": memory,
            "creationTimestamp": audit["creationTimestamp"],
            "lastChangeTimestamp": audit["lastChangeTimestamp"],
        },
        content=b"\x89PNG\r\n\x1a\n" + random.Random(n).randbytes(500),
    )


HIDDEN = {
    "personID", "memoryID", "mediumID", "creationTimestamp", "creationSessionID",
    "lastChangeTimestamp", "lastChangeSessionID", "lastRead", "readOccurrences",
    "receiverTag", "receiverName",
}  # fmt: skip
"""What a restore gives anew, and what follows from other fields or from use."""


def what_is_there(world: World) -> dict[str, Any]:
    """A world as its users know it: without keys and stamps, with names where references were."""
    files = {
        name: f"{each.document['originalFileName']}:{each.content.hex()[:64]}"
        for name, each in world.assets.items()
    }
    found = {}
    for agent in world.agents.values():
        tags = {key: person["tag"] for key, person in agent.people.items()}
        memories = [
            _told({**each, "receiverID": tags.get(each.get("receiverID"))}, files)
            for each in agent.memories.values()
        ]
        found[agent.name] = {
            "people": sorted(repr(_told(each, files)) for each in agent.people.values()),
            "keys": {key: each["value"] for key, each in agent.localization_keys.items()},
            "memories": sorted(map(repr, memories)),
            "files": sorted(
                (each.document["originalFileName"], each.content, _title(agent, each))
                for each in world.assets.values()
                if each.document.get("memoriID") == agent.memori_id
            ),
        }
    return found


def _title(agent: Agent, asset: Asset) -> str:
    return str(agent.memories.get(asset.document.get("engineMemoryID") or "", {}).get("title"))


def _told(value: Any, files: dict[str, str]) -> Any:
    if isinstance(value, str):
        for name, told in files.items():
            value = value.replace(name, told)
        return value
    if isinstance(value, list):
        return [_told(each, files) for each in value]
    if isinstance(value, dict):
        return {
            field: _told(each, files)
            for field, each in sorted(value.items())
            if each is not None and field not in HIDDEN
        }
    return value


def execute(work: Workplace, statement: str) -> None:
    database = work.database.replace("///mirror", f"///{work.folder}/mirror")
    engine = sa.create_engine(database)
    with engine.begin() as connection:
        connection.execute(sa.text(statement))
    engine.dispose()


READS = ("GET", "POST /api/v2/Login", "POST /memori/v2/Session", "POST /api/v2/Logout")


def writes(sandbox: Sandbox) -> list[str]:
    """The calls that change something, sessions aside."""
    seen = [f"{each.method} {each.template}" for each in sandbox.calls]
    goodbyes = (*READS, "DELETE /memori/v2/Session")
    return [each for each in seen if not each.startswith(goodbyes)]


def add_people(agent: Agent, number: int) -> None:
    """Give an agent so many more people."""
    for each in range(number):
        key = f"p-new-{each}"
        person = {"personID": key, "personType": "Receiver", "name": f"New {each}"}
        agent.people[key] = {**person, "pin": "000000", "tag": f"new {each}"}


def add_memory(agent: Agent, key: str) -> None:
    """Give an agent one more content, like its first one."""
    first = next(iter(agent.memories.values()))
    new = copy.deepcopy(first)
    new["memoryID"] = key
    new["media"] = [{**each, "mediumID": f"{key} {each['mediumID']}"} for each in new["media"]]
    agent.memories[key] = new


def restore(work: Workplace, *args: str, code: int = 0) -> dict:
    outcome = work.run("restore", "--json", "--yes", *args)
    assert outcome.code == code, outcome
    return outcome.json


def likeness(world: World, name: str) -> dict[str, Any]:
    """What an agent knows, without its Giver, whose tag and PIN are its own."""
    found = what_is_there(world)[name]
    return {**found, "people": [each for each in found["people"] if "Giver" not in each]}


def empty_database(url: str) -> None:
    """Take everything out of a PostgreSQL database; that of SQLite is not there yet."""
    if url.startswith("sqlite"):
        return
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("drop schema public cascade"))
        connection.execute(sa.text("create schema public"))
    engine.dispose()


def leaving_out(app: Any, part: str, listed_as: str, name: str) -> Any:
    """A remote that leaves a field out of what it lists at paths that hold a part."""

    def call(environ: Any, start_response: Any) -> Any:
        if part not in environ["PATH_INFO"].lower():
            return app(environ, start_response)
        kept: dict[str, Any] = {}

        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            kept["start"] = (status, headers)
            return lambda _: None

        answer = json.loads(b"".join(app(environ, start)))
        for each in answer[listed_as]:
            del each[name]
        body = json.dumps(answer).encode()
        status, headers = kept["start"]
        headers = [(k, v) for k, v in headers if k.lower() != "content-length"]
        start_response(status, [*headers, ("Content-Length", str(len(body)))])
        return [body]

    return call
