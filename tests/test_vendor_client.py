"""The vendor's own JavaScript client judges the sandbox.

Whatever the sandbox gets wrong about the API, our client could get wrong in the same way. The
vendor's client shares nothing with either. `vendor_client/judge.mjs` drives it and reports; the
sandbox's world is what its reports are held against.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from contract import Contract

from sync.sandbox import Agent, Sandbox, World, demo_world

FOLDER = Path(__file__).with_name("vendor_client")
INSTALL_TIMEOUT_S = 180
JUDGE_TIMEOUT_S = 60
UNREACHABLE = re.compile(
    r"\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|"
    r"ERR_SOCKET_TIMEOUT|E5\d\d)\b"
)
"""How npm calls a network that is not there; anything else it says is worth a failure."""

SETTINGS = (
    "name",
    "description",
    "culture",
    "voiceType",
    "categories",
    "privacyType",
    "avatarURL",
    "coverURL",
    "properties",
    "integrations",
)
ASSIGNED = re.compile(r"ID$|^assetURL$|^creation|^lastChange|^lastRead$|^readOccurrences$")
"""What a report leaves out, since a remote assigns it; the same as in judge.mjs."""


@pytest.fixture(scope="module")
def client():
    """Put the client that the lock names into node_modules, unless it is there."""
    missing = [program for program in ("node", "npm") if not shutil.which(program)]
    if missing:
        go_without(f"{' and '.join(missing)} not found")
    with (FOLDER / "package-lock.json").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests may run in several processes
        install(hashlib.sha256(lock.read()).hexdigest())


@pytest.fixture
def contract():
    """Hold both sides to the API description, the vendor's client included."""
    contract = Contract()
    yield contract
    contract.check()


@pytest.fixture
def world() -> World:
    return demo_world()


@pytest.fixture
def sandbox(world, contract):
    with Sandbox(world, middleware=contract.wrap) as sandbox:
        yield sandbox


@pytest.fixture
def judge(client, sandbox, world):
    """Ask what the vendor's client makes of an agent."""

    def ask(mode: str, agent: str) -> dict[str, Any]:
        account = world.account
        settings = {
            "JUDGE_BACKEND": sandbox.url,
            "JUDGE_ENGINE": sandbox.url,
            "JUDGE_TENANT": account.tenant,
            "JUDGE_USER": account.user_name,
            "JUDGE_PASSWORD": account.password,
            "JUDGE_AGENT": agent,
        }
        node = run("node", "judge.mjs", mode, timeout=JUDGE_TIMEOUT_S, env=os.environ | settings)
        assert node.returncode == 0, node.stderr
        return json.loads(node.stdout)

    return ask


@pytest.mark.parametrize("name", ["Guida", "Archivio"])
def test_the_vendors_client_sees_what_is_there(judge, world, name):
    agent = world.agent(name)
    before = world.to_json()
    report = judge("read", name)
    assert report["differences"] == []  # between lists, pages and single gets
    assert report["counts"] == {name: both(count) for name, count in counts(agent).items()}
    expected = seen(world, agent)
    assert sorted(report["seen"]) == sorted(expected)
    for kind, objects in expected.items():
        assert in_order(report["seen"][kind]) == in_order(objects), kind
    assert world.to_json() == before


@pytest.mark.parametrize("name", ["Guida", "Archivio"])
def test_the_vendors_client_comes_in_as_the_giver_and_leaves_nothing_open(
    judge, sandbox, world, name
):
    report = judge("read", name)
    entry = report["entry"]
    assert entry["user"] == world.account.user_name
    assert entry["agents"] == [
        {"name": agent.name, "memoriID": agent.memori_id, "engineMemoriID": agent.engine_id}
        for agent in world.agents.values()
    ]
    assert entry["shared"] == 0
    state = entry["state"]
    assert state["stateName"] == "WaitingForGiverActivityChoice"
    assert state["currentTag"] == world.agent(name).settings["giverTag"]
    assert state["currentTagAuthenticated"] is True
    assert entry["keepsItsState"]
    assert report["exit"] == {"deleteSession": 0, "getSession": 404, "logout": 0, "getUser": -101}
    assert not sandbox.sessions
    assert not sandbox.tokens


def test_what_the_vendors_client_writes_is_there_until_it_deletes_it(judge, world):
    before = world.to_json()
    report = judge("write", "Guida")
    assert {step: code for step, code in report["codes"].items() if code} == {}
    for look in report["readBacks"]:
        assert covers(look["got"], look["wanted"]), look["what"]
    assert report["gone"] == {
        "getMedium": 404,
        "getAssetDetails": -601,
        "getMemory": 404,
        "getKey": 404,
        "getPerson": 404,
    }
    assert world.to_json() == before


def test_the_vendors_client_sees_a_restored_agent_as_it_was(judge, sandbox, world, workplace):
    before = judge("read", "Guida")["seen"]
    workplace.settle(sandbox)
    workplace.backup()
    agent = world.agent("Guida")
    with sandbox.lock:
        agent.people = {key: each for key, each in agent.people.items() if each == agent.giver}
        agent.memories = dict(list(agent.memories.items())[::2])
        for memory in agent.memories.values():
            memory["receiverID"] = None
        agent.localization_keys["GOODBYE"]["value"] = "?"
        mine = [n for n, each in world.assets.items() if each.document["memoriID"]]
        for name in mine[::2]:
            del world.assets[name]

    assert workplace.run("restore", "--yes", "--memori", "Guida").code == 0

    after = judge("read", "Guida")["seen"]
    for kind, objects in before.items():
        assert in_order(after[kind]) == in_order(objects), kind


def test_the_lock_pins_the_client_and_names_no_registry():
    manifest = json.loads((FOLDER / "package.json").read_text())
    lock = (FOLDER / "package-lock.json").read_text()
    packages = json.loads(lock)["packages"]
    for name, version in manifest["dependencies"].items():
        assert packages[f"node_modules/{name}"]["version"] == version
    assert all(package.get("integrity") for path, package in packages.items() if path)
    assert "resolved" not in lock
    assert "://" not in lock


def install(lock_digest: str) -> None:
    stamp = FOLDER / "node_modules" / ".installed-lock"
    if stamp.is_file() and stamp.read_text() == lock_digest:
        return
    options = ("--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1")
    try:
        npm = run("npm", "ci", *options, timeout=INSTALL_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        go_without("npm ci did not end in time")
    if npm.returncode:
        cause = UNREACHABLE.search(npm.stderr)
        if cause is None:
            pytest.fail(npm.stderr)
        go_without(f"npm ci cannot reach the registry: {cause[0]}")
    stamp.write_text(lock_digest)


def go_without(reason: str) -> None:
    """Skip, but where a machine runs the tests and nobody reads why: fail."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def run(program: str, *args: str, timeout: int, env: Any = None) -> Any:
    command = [str(shutil.which(program)), *args]
    return subprocess.run(
        command,
        cwd=FOLDER,
        env=env,
        timeout=timeout,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def both(count: int) -> dict[str, int]:
    return {"count": count, "length": count}


def counts(agent: Agent) -> dict[str, int]:
    """How many objects each list should hold, by the types of aisuru-api.md 8.3."""
    of_type = Counter(memory["memoryType"] for memory in agent.memories.values())
    return {
        "people": len(agent.people),
        "localizationKeys": len(agent.localization_keys),
        "ALL": of_type.total(),
        "CONTENTS": of_type["Question"] + of_type["Story"],
        "DEFAULTS": of_type["Default"],
        "DRAFTS": of_type["CompletionDraft"],
        "EXPERT_REFERENCES": of_type["ExpertReference"],
    }


def seen(world: World, agent: Agent) -> dict[str, Any]:
    """The report that a right client gives of an agent."""
    mine = (agent.memori_id, None)
    assets = [asset for asset in world.assets.values() if asset.document["memoriID"] in mine]
    report = {
        "settings": {name: agent.settings.get(name) for name in SETTINGS},
        "people": list(agent.people.values()),
        "localizationKeys": list(agent.localization_keys.values()),
        "memories": [with_receiver(memory, agent) for memory in agent.memories.values()],
        "assets": [
            asset.document
            | {
                "belongsTo": "agent" if asset.document["memoriID"] else "account",
                "memory": agent.memories.get(asset.document["engineMemoryID"], {}).get("title"),
                "sha256": hashlib.sha256(asset.content).hexdigest(),
            }
            for asset in assets
        ],
        "badges": world.badges,
    }
    text = json.dumps(report)
    for asset in world.assets.values():
        url = asset.document["assetURL"]
        extension = url.rsplit(".", 1)[1]
        text = text.replace(url, f"asset:{asset.document['originalFileName']}.{extension}")
    return without_assigned(json.loads(text))


def with_receiver(memory: dict[str, Any], agent: Agent) -> dict[str, Any]:
    receiver = agent.people.get(memory["receiverID"], {})
    return memory | {"receiverTag": receiver.get("tag"), "receiverName": receiver.get("name")}


def without_assigned(value: Any) -> Any:
    if isinstance(value, list):
        return [without_assigned(item) for item in value]
    if isinstance(value, dict):
        return {k: without_assigned(v) for k, v in value.items() if not ASSIGNED.search(k)}
    return value


def in_order(objects: Any) -> Any:
    """Lists of a report in an order that both languages agree on."""
    if isinstance(objects, list):
        return sorted(objects, key=lambda item: json.dumps(item, sort_keys=True))
    return objects


def covers(got: Any, wanted: Any) -> bool:
    """Whether all that is wanted is there; the remote may add fields of its own."""
    if isinstance(wanted, dict):
        return isinstance(got, dict) and all(covers(got.get(k), v) for k, v in wanted.items())
    if isinstance(wanted, list):
        return (
            isinstance(got, list)
            and len(got) == len(wanted)
            and all(covers(*pair) for pair in zip(got, wanted, strict=True))
        )
    return got == wanted
