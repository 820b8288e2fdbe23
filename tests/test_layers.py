"""The rooms of CONTRIBUTING.md, held by reading the imports."""

import ast
import re
from pathlib import Path

import click
import pytest

import sync
from sync.cli import cli

ROOT = Path(sync.__file__).parent

LAYERS = {
    "errors": 0, "batches": 0, "change": 0, "disk": 0, "document": 0, "field": 0, "kind": 0,
    "link": 0, "redact": 0, "registry": 0, "retention": 0, "stop": 0, "watch": 0, "when": 0,
    "wording": 0,
    "kinds": 1, "lives": 1, "refs": 1,
    "api": 2, "mirror": 2, "files": 2, "match": 2, "order": 2, "plan": 2, "recreate": 2,
    "absence": 3, "backup": 3, "claim": 3, "open_run": 3, "snapshot": 3, "snapshot_files": 3,
    "fetch": 3, "check": 3, "history": 3, "status": 3,
    "compare": 3, "outcome": 3, "export": 3, "prune": 3, "refetch": 3, "repair": 3,
    "restore": 3, "resume": 3, "selection": 3, "replay": 3, "settle": 3, "target": 3,
    "twin": 3, "restore_point": 3, "surplus": 3, "wanted": 3,
    "schedule": 3, "systemd": 3,
    "config": 4, "log": 4, "app": 4,
    "web": 5, "drill": 5, "job": 5, "daemon": 5, "cli": 5, "__main__": 6,
}  # fmt: skip
"""Imports go down; inside a layer only those below, and inside a folder freely."""

BESIDE = {
    ("disk", "errors"), ("document", "errors"), ("field", "document"), ("kind", "document"),
    ("kind", "errors"), ("kind", "field"), ("link", "document"), ("link", "errors"),
    ("registry", "kind"),
    ("stop", "errors"), ("when", "errors"), ("lives", "refs"),
    ("backup", "snapshot"), ("backup", "open_run"), ("backup", "absence"), ("backup", "outcome"),
    ("snapshot", "open_run"), ("snapshot", "snapshot_files"), ("snapshot", "absence"),
    ("snapshot", "outcome"), ("snapshot_files", "open_run"), ("snapshot_files", "fetch"),
    ("snapshot_files", "outcome"), ("open_run", "absence"), ("open_run", "outcome"),
    ("restore", "backup"), ("restore", "replay"),
    ("replay", "target"), ("replay", "wanted"), ("restore", "resume"), ("restore", "selection"),
    ("resume", "restore_point"), ("resume", "selection"), ("selection", "wanted"),
    ("restore", "settle"), ("restore", "snapshot"),
    ("restore", "restore_point"), ("wanted", "restore_point"), ("restore", "wanted"),
    ("restore", "surplus"), ("surplus", "absence"), ("surplus", "restore_point"),
    ("surplus", "selection"), ("restore", "target"), ("restore", "absence"), ("settle", "target"),
    ("settle", "twin"), ("backup", "claim"), ("prune", "claim"), ("repair", "claim"),
    ("prune", "check"), ("retention", "errors"), ("retention", "when"),
    ("repair", "check"), ("repair", "fetch"), ("repair", "refetch"),
    ("refetch", "fetch"), ("compare", "check"),
    ("compare", "fetch"), ("compare", "refetch"),
    ("export", "restore_point"), ("export", "history"), ("export", "fetch"),
    ("app", "config"), ("plan", "match"), ("plan", "order"), ("plan", "recreate"),
    ("recreate", "order"),
    ("cli", "drill"), ("job", "drill"), ("job", "web"), ("daemon", "job"), ("daemon", "web"),
    ("cli", "daemon"), ("mirror", "order"),
}  # fmt: skip

THIRD_PARTIES = {
    "requests": {"api/transport", "api/pool", "api/ping"},
    "requests_toolbelt": {"api/transport"},
    "urllib3": {"api/transport", "api/pool"},
    "tenacity": {"api/transport"},
    "sqlalchemy": {"mirror/*"},
    "alembic": {"mirror/schema"},
    "structlog": {
        "config",
        "log",
        "api/transport",
        "api/account",
        "api/paging",
        "backup",
        "snapshot",
        "snapshot_files",
        "fetch",
        "refetch",
        "settle",
        "replay",
        "api/ping",
        "daemon",
        "job",
        "drill",
    },
    "msgspec": {"document", "config", "retention", "schedule", "cli/config", "drill", "sandbox/*"},
    "platformdirs": {"config"},
    "apscheduler": {"daemon"},
    "cronsim": {"schedule"},
    "jwt": {"api/account", "sandbox/*"},
    "tzlocal": {"daemon"},
    "prometheus_client": {"web/*"},
    "flask": {"sandbox/*", "web/*"},
    "waitress": {"sandbox/*", "web/*"},
    "werkzeug": {"sandbox/*"},
    "click": {"cli/*"},
    "rich": {"cli/*"},
}
"""Where each library may be imported."""

MAY_USE_THE_SANDBOX = {"cli/demo", "cli/sandbox", "drill"}
MODULES = sorted(ROOT.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").as_posix()


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "sync":
                found |= {f"sync.{each.name}" for each in node.names}
            else:
                found.add(node.module)
    return found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_imports_go_down_the_layers(path: Path):
    name = name_of(path)
    room = name.split("/")[0]
    if room in ("__init__", "migrations"):
        return
    for module in imports(path):
        if not module.startswith("sync."):
            continue
        other = module.split(".")[1]
        if other not in {each.name.removesuffix(".py") for each in ROOT.iterdir()}:
            continue  # a name of the package itself
        if room == "sandbox":
            assert other == "sandbox", f"{name} imports {module}: the sandbox shares nothing"
        elif other == "sandbox":
            assert name in MAY_USE_THE_SANDBOX, f"{name} imports {module}"
        elif other != room:
            goes_down = LAYERS[other] < LAYERS[room]
            assert goes_down or (room, other) in BESIDE, f"{name} imports {module}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_each_library_stays_in_its_room(path: Path):
    name = name_of(path)
    if name.startswith("migrations"):
        return
    for module in imports(path):
        rooms = THIRD_PARTIES.get(module.split(".")[0])
        if rooms is not None:
            folder = f"{name.rpartition('/')[0]}/*"
            assert name in rooms or folder in rooms, f"{name} imports {module}"


def test_the_map_of_the_rooms_names_the_modules_that_there_are():
    there, mapped = {name_of(path) for path in MODULES}, modules_on_the_map()
    commands = {f"cli/{name}" for name in cli.list_commands(click.Context(cli))}
    alike = {name for name in there if name.startswith(("kinds/", "sandbox/", "migrations/"))}
    folders = {name for name in there if name.endswith("/__init__")}
    assert mapped - there == set()
    assert there - mapped - commands - alike - folders == set()


def modules_on_the_map() -> set[str]:
    """What the table in CONTRIBUTING.md names: of a folder, what is said of it outside brackets."""
    text = (Path(__file__).parent.parent / "CONTRIBUTING.md").read_text("utf-8")
    found = set()
    for names, what in re.findall(r"^\| [^|]*\| (`[^|]*) \| ([^|]*) \|$", text, re.MULTILINE):
        for name in re.findall(r"`([^`]*)`", re.sub(r"\(.*?\)", "", names)):
            inside = re.findall(r"`(\w+)`", re.sub(r"\(.*?\)", "", what))
            found |= {name + each for each in inside} if name.endswith("/") else {name}
    return found


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_outgrows_its_room(path: Path):
    if name_of(path).startswith("migrations"):
        return
    assert len(path.read_text("utf-8").splitlines()) <= 400
