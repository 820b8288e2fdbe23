"""`aisuru-sync demo`: the product in a minute, against the sandbox; no account needed."""

import shlex
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sync.cli.door import WIDTH, Door, Reply, make_command
from sync.errors import DamageFound, worst

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sync.app import App
    from sync.backup import RunResult
    from sync.lives import Difference
    from sync.restore import RestoreResult
    from sync.sandbox import Sandbox

    Text = list[RenderableType]

_AGENT = "Guida"
_SETTINGS = """\
[account]
backend_url = "{url}"
engine_url = "{url}"
asset_urls = ["{url}"]
user = "{user}"
password_file = "password"

[storage]
database = "sqlite:///mirror.db"
files = "files"
"""


@make_command(name="demo", short_help="See it at work, without an account.")
def command(door: Door) -> Reply:
    """See it at work: back up a demo account, lose most of an agent, and bring it back.

    The account is served by a sandbox on this machine. The backup is kept in a temporary folder,
    which is named at the end, so that you can look around in it.
    """
    from sync.check import check
    from sync.cli.changes import diff_lines
    from sync.cli.report import run_table
    from sync.sandbox import Sandbox, demo_world

    door.level = door.level or "warning"
    folder = Path(tempfile.mkdtemp(prefix="aisuru-sync-demo-"))
    with Sandbox(demo_world()) as sandbox:
        app = _app(door, sandbox, folder)
        first = _back_up(app)
        edits = _edit(app)
        second = _back_up(app)
        changes, between = _compare(app, first, second)
        losses = _ruin(sandbox)
        restored, plan_text = _restore(app)
    with app.reading() as mirror:
        report = check(mirror, app.store, app.kinds)
    damage = f"{len(report.damage)} damaged" if report.damage else "no damage"
    text: Text = [
        "1. An AIsuru remote runs on this machine, with two agents of a small museum.",
        "2. `backup` mirrors them into a database, and their files beside it:\n",
        run_table(first.snapshots),
        f"\n3. Then someone edits the agent {_AGENT!r}:\n",
        *(f"   - {each}" for each in edits),
        f"\n4. `backup` again. It writes just what changed, as `{between}` tells:\n",
        *(f"   {line}".rstrip() for line in diff_lines(changes, WIDTH - 3)),
        f"\n5. A disaster: {losses}.",
        "6. `restore` lists what is left and plans what to do:\n",
        *plan_text,
        f"\n7. It does so, lists everything again, and compares: {_verdict(restored)}.",
        f"8. `check` looks at all {report.objects} objects and {report.files} files: {damage}.\n",
        *_look_around(folder, changes),
    ]
    damage_code = DamageFound.exit_code if report.damage else 0
    codes = (first.exit_code, second.exit_code, restored.exit_code, damage_code)
    return Reply(
        data={
            "folder": str(folder),
            "changes": len(changes),
            "steps": restored.done,
            "verified": restored.verified,
            "damage": len(report.damage),
        },
        text=text,
        exit_code=worst(codes),
    )


def _app(door: Door, sandbox: "Sandbox", folder: Path) -> "App":
    from sync import config

    account = sandbox.world.account
    path = folder / "aisuru-sync.toml"
    path.write_text(_SETTINGS.format(url=sandbox.url, user=account.user_name), "utf-8")
    secret = folder / "password"
    secret.touch(mode=0o600)
    secret.write_text(account.password, "utf-8")
    return door.app(config.load(path, {}))


def _back_up(app: "App") -> "RunResult":
    from sync.backup import backup
    from sync.cli.progress import progress
    from sync.mirror.values import Reason

    with app.writing("the demo") as mirror, app.account() as account, progress() as watch:
        wishes = app.wishes((), (), Reason.MANUAL)
        return backup(account, mirror, app.store, app.kinds, app.means, wishes, watch)


def _edit(app: "App") -> list[str]:
    """Do over HTTP what an owner does on the site; returns what was done, in words."""
    from sync.api.account import choose_agent

    memory, person, message = (app.kinds[each] for each in ("memory", "person", "localization_key"))
    with app.account() as account:
        agent = choose_agent(_AGENT, account.agents())
        with account.giver(agent) as access:
            first, second, *_ = access.page(memory, 0, 2).documents
            access.update(memory, {**first, "title": f"{first['title']} (orari nuovi)"})
            access.delete(memory, second)
            visitor = {"personType": "Receiver", "name": "Livia", "pin": "004217", "tag": "🦉"}
            access.create(person, visitor)
            greeting = access.page(message, 0, 1).documents[0]
            access.update(message, {**greeting, "value": f"{greeting['value']} Benvenuti!"})
    return [
        f"changes the title of a content: {first['title']}",
        f"deletes another one: {second['title']}",
        "adds a person: Livia",
        f"rewords a message: {greeting['key']}",
    ]


def _ruin(sandbox: "Sandbox") -> str:
    """Lose most of an agent; returns what was lost, in words."""
    world = sandbox.world
    with sandbox.lock:
        agent = world.agent(_AGENT)
        giver = next(each for each in agent.people.values() if each["personType"] == "Giver")
        kept = {giver["personID"]: giver}
        people, contents = len(agent.people) - len(kept), len(agent.memories) - 3
        agent.people = kept
        agent.memories = dict(list(agent.memories.items())[:3])
        mine = [
            name
            for name, each in world.assets.items()
            if each.document.get("memoriID") == agent.memori_id
        ]
        for name in mine:
            del world.assets[name]
    return f"{people} people, {contents} contents and {len(mine)} files are gone"


def _restore(app: "App") -> "tuple[RestoreResult, Text]":
    from sync.cli.progress import progress
    from sync.cli.restore import plan_summary
    from sync.restore import prepare
    from sync.restore_point import choose_snapshot
    from sync.selection import Selection

    with app.reading() as mirror:
        snapshot = choose_snapshot(mirror, _AGENT)
    with app.restoring("the demo", _AGENT) as hands, progress() as watch:
        restore = prepare(hands, snapshot, Selection(), watch)
        return restore.replay(watch), plan_summary(restore)


def _verdict(result: "RestoreResult") -> str:
    return "verified, all is back" if result.verified else "NOT verified"


def _compare(app: "App", first: "RunResult", second: "RunResult") -> "tuple[list[Difference], str]":
    """How the agent differs between two runs, and the command that tells it, too."""
    from sync.history import diff, span

    ids = [
        each.id for run in (first, second) for each in run.snapshots if each.source.name == _AGENT
    ]
    with app.reading() as mirror:
        return list(diff(mirror, app.kinds, span(mirror, *ids))), f"diff {ids[0]} {ids[1]}"


def _look_around(folder: Path, changes: "list[Difference]") -> list[str]:
    called = sys.argv[0]
    if called.endswith("__main__.py"):
        called = f"{shlex.quote(sys.executable)} -m sync"
    program = "aisuru-sync" if shutil.which("aisuru-sync") else called
    return [
        f"All of it is in {folder}",
        "Look around:\n",
        f"   export AISURU_SYNC_CONFIG={folder / 'aisuru-sync.toml'}",
        f"   {program} snapshots",
        f"   {program} log {changes[0].kind} {changes[0].key}",
        f"   {program} show {changes[0].kind} {changes[0].key}",
        f"   sqlite3 {folder}/mirror.db .tables",
    ]
