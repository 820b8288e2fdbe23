"""The commands beside `backup`, and what each sort of bad input ends with."""

import json
import os
import re
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import threading
from datetime import datetime
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner
from workplace import Workplace, fill

from sync.cli import _COMMANDS, cli, run
from sync.cli.door import Door
from sync.mirror import schema
from sync.mirror.database import open_database
from sync.mirror.lock import hold
from sync.sandbox import Fault, FaultSet, Sandbox, World

PROGRAM = str(Path(sys.executable).with_name("aisuru-sync"))


def command(name: str) -> list[str]:
    return [PROGRAM, *name.split()]


def test_help_needs_none_of_the_heavy_libraries():
    code = "import sys; from sync.cli import run; run(['--help']); print(*sys.modules)"
    out = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    ).stdout
    loaded = set(out.split())
    assert "click" in loaded
    heavy = {"sqlalchemy", "requests", "alembic", "flask", "rich", "structlog", "msgspec"}
    assert not loaded & heavy


@pytest.mark.parametrize("name", [*_COMMANDS, "config init", "config check"])
def test_every_command_has_help_and_fits_a_terminal(name: str):
    outcome = CliRunner().invoke(cli, [*name.split(), "--help"], obj=Door(), terminal_width=80)
    assert outcome.exit_code == 0
    assert "--json" in outcome.output or name == "config"
    assert max(map(len, outcome.output.splitlines())) <= 80


def test_the_version_is_told(capsys):
    assert run(["--version"]) == 0
    assert re.fullmatch(r"\d+\.\d+\.\d+\n", capsys.readouterr().out)


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (["--nonsense"], "nonsense"),
        (["nonsense"], "nonsense"),
        (["backup", "--nonsense"], "nonsense"),
        (["show", "person"], "KEY"),
        (["show", "person", "x", "--snapshot", "soon"], "soon"),
    ],
)
def test_a_wrong_call_ends_with_2_and_says_so_in_json_too(args, part, capsys):
    assert run(args) == 2
    assert part in capsys.readouterr().err
    assert run([*args, "--json"]) == 2
    document = json.loads(capsys.readouterr().out)
    assert document["exit_code"] == 2
    assert part in document["error"]["message"]


# -- bad input: a clear message, its exit code, nothing lost


def expect(outcome, code: int, *parts: str) -> None:
    assert outcome.code == code, outcome
    assert outcome.out == ""
    lines = [each for each in outcome.err.splitlines() if not each.startswith("timestamp=")]
    assert lines[0].startswith("error: ")
    assert len(lines) <= 2
    for part in parts:
        assert part in "\n".join(lines)


def test_the_journal_takes_an_error_for_an_error(tmp_path: Path):
    with (tmp_path / "journal").open("w+") as journal:
        place = os.fstat(journal.fileno())
        subprocess.run(
            command("backup --config nowhere.toml"),
            stderr=journal,
            env={**os.environ, "JOURNAL_STREAM": f"{place.st_dev}:{place.st_ino}"},
            check=False,
        )
        journal.seek(0)
        first, second = journal.read().splitlines()
    assert first.startswith("<3>error: ")
    assert second.startswith("<3>hint: ")


def test_an_unreachable_host_ends_with_5(work: Workplace):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    text = work.config.read_text()
    work.config.write_text(re.sub(r"127\.0\.0\.1:\d+", f"127.0.0.1:{port}", text))
    expect(work.run("backup"), 5, "cannot connect", "hint: check the network")


def test_a_wrong_password_ends_with_12_after_one_try(work: Workplace, sandbox: Sandbox):
    (work.folder / "password").write_text("wrong")
    expect(work.run("backup"), 12, "-13", "locks")
    assert [each.template for each in sandbox.calls] == ["/api/v2/Login"]


def test_an_unknown_tenant_ends_with_12(workplace: Workplace, sandbox: Sandbox):
    workplace.settle(sandbox)
    text = workplace.config.read_text()
    workplace.config.write_text(text.replace("[account]", '[account]\ntenant = "nowhere"'))
    expect(workplace.run("backup"), 12, "`tenant`")


def test_no_password_at_all_ends_with_2(work: Workplace):
    work.config.write_text(work.config.read_text().replace('password_file = "password"', ""))
    expect(work.run("backup"), 2, "no password", "AISURU_SYNC_PASSWORD")


def test_a_memori_that_is_not_there_ends_with_2_and_names_those_that_are(work: Workplace):
    expect(work.run("backup", "--memori", "Ghost"), 2, "'Ghost'", "'Guide'")


def test_a_memori_name_that_fits_two_ends_with_2_and_tells_their_ids(
    work: Workplace, sandbox: Sandbox, world: World
):
    other = world.add_agent("Archive")
    other.settings["name"] = "Guide"
    expect(work.run("backup", "--memori", "Guide"), 2, "several", other.memori_id)


def test_a_kind_that_is_not_there_ends_with_2(work: Workplace):
    expect(work.run("backup", "--kind", "ghost"), 2, "ghost", "person")


def test_a_wrong_pin_fails_its_agent_alone_and_ends_with_12(
    work: Workplace, sandbox: Sandbox, world: World
):
    fill(world, world.add_agent("Archive"))
    world.agent("Guide").settings["giverPIN"] = "999999"

    result = work.backup(code=12)

    status = {each["source"]["name"]: each["status"] for each in result["snapshots"]}
    assert status == {"owner": "incomplete", "Guide": "failed", "Archive": "complete"}
    assert "not its Giver's" in result["snapshots"][1]["error"]
    assert not sandbox.sessions


def test_a_storage_that_cannot_be_written_ends_with_8(work: Workplace):
    (work.folder / "plain").write_text("")
    for setting in ('database = "sqlite:///plain/m.db"', 'files = "plain/files"'):
        name = setting.split()[0]
        text = re.sub(rf"^{name} = .*$", setting, work.config.read_text(), flags=re.MULTILINE)
        broken = work.folder / "broken.toml"
        broken.write_text(text)
        work.capsys.readouterr()
        code = run(["backup", "--config", str(broken)])
        err = work.capsys.readouterr().err
        assert code == 8
        assert "error: cannot write" in err


def test_a_database_that_is_none_ends_with_8(work: Workplace):
    (work.folder / "mirror.db").write_bytes(b"no database" * 500)
    expect(work.run("backup"), 8, "not a database")


def test_a_mirror_of_a_newer_version_ends_with_10_and_is_left_alone(work: Workplace):
    work.backup()
    work.sql("select 1")
    with sqlite3.connect(work.folder / "mirror.db") as connection:
        connection.execute("update alembic_version set version_num = '9999'")
    connection.close()
    for name in ("backup", "snapshots", "check", "migrate"):
        expect(work.run(name), 10, "newer version")


@pytest.mark.parametrize("name", ["snapshots", "check", "show person x", "log", "diff 1", "status"])
def test_a_reader_without_a_mirror_ends_with_10(work: Workplace, name: str):
    expect(work.run(*name.split()), 10, "no mirror here yet", "backup")


def test_broken_settings_end_with_2_and_tell_all_problems(work: Workplace):
    work.config.write_text("[acount]\n[storage]\ndatabse = 1")
    outcome = work.run("config", "check")
    assert outcome.code == 2
    assert "[acount]" in outcome.err
    assert "databse" in outcome.err
    work.config.write_text("[account")
    expect(work.run("backup"), 2, "not TOML")


def test_a_mirror_of_another_account_ends_with_2(work: Workplace, sandbox: Sandbox, world: World):
    work.backup()
    world.account.user_id = "another"
    expect(work.run("backup"), 2, "this mirror holds the account of", "[storage]")


def test_a_second_backup_at_the_same_time_ends_with_11(work: Workplace):
    work.backup()
    engine = open_database(f"sqlite:///{work.folder}/mirror.db")
    with hold(engine, "a backup"):
        expect(work.run("backup"), 11, "in use by a backup (process")
        assert work.run("snapshots").code == 0
    engine.dispose()


def test_a_bug_ends_with_1_and_is_told_without_secrets(work: Workplace, monkeypatch):
    (work.folder / "password").write_text("Sup3r-secret")

    def broken(*_):
        raise RuntimeError("about Sup3r-secret")

    monkeypatch.setattr("sync.api.account.Account._learn_user", broken)
    monkeypatch.setattr("sync.api.account.Account._log_in", lambda _: broken())
    outcome = work.run("backup", "--json")
    assert outcome.code == 1
    assert outcome.json["error"]["message"] == "this is a bug"
    assert "RuntimeError" in outcome.err
    assert "Sup3r-secret" not in outcome.err


# -- signals


@pytest.fixture
def slow_backup(serve, workplace: Workplace, world: World):
    """A backup as a process of its own that is waiting for a page of memories."""
    reached, go_on = threading.Event(), threading.Event()

    def linger(sandbox: Sandbox) -> None:
        reached.set()
        go_on.wait(60)

    faults = FaultSet([Fault(path="/memori/v2/memories/*", nth=1, do=linger)])
    sandbox = serve(world, faults=faults)
    sandbox.start()
    workplace.settle(sandbox)
    process = subprocess.Popen(
        [*command("backup --json"), "--config", str(workplace.config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert reached.wait(60)
    yield sandbox, process
    go_on.set()
    sandbox.stop()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_a_backup_soon_with_what_was_seen_committed(
    workplace: Workplace, slow_backup, number: int, code: int
):
    sandbox, process = slow_backup
    process.send_signal(number)
    out, err = process.communicate(timeout=60)

    assert process.returncode == code, err
    assert json.loads(out)["exit_code"] == code
    assert "error: stopped by SIG" in err
    assert not sandbox.sessions
    statuses = workplace.sql("select status from snapshot order by id")
    assert statuses == [("interrupted",), ("interrupted",)]
    assert workplace.sql("select count(*) from person") == [(2,)]
    assert workplace.run("check").code == 0


def test_after_a_kill_the_next_run_marks_the_snapshot_and_goes_on(
    serve, workplace: Workplace, world: World, slow_backup
):
    _, process = slow_backup
    process.kill()
    process.communicate(timeout=60)
    with serve(world) as again:
        workplace.settle(again)
        workplace.backup()
    statuses = [each for (each,) in workplace.sql("select status from snapshot order by id")]
    assert statuses == ["interrupted", "interrupted", "complete", "complete"]
    assert workplace.run("check").code == 0


# -- the other commands


def test_snapshots_lists_only_those_of_an_agent_and_the_latest_if_asked(work: Workplace):
    for _ in range(3):
        work.backup()

    def ids(*args: str) -> list[int]:
        return [each["id"] for each in work.run("snapshots", "--json", *args).json["snapshots"]]

    assert ids("--memori", "Guide") == [2, 4, 6]
    assert ids("--memori", "Guide", "--limit", "2") == [4, 6]
    assert ids("-n", "1") == [6]
    assert work.run("snapshots", "--memori", "Nobody").code == 2


@pytest.mark.parametrize("line", ["snapshots", "log", "show person p-anna-1"])
def test_an_agent_that_the_mirror_does_not_hold_is_refused_with_those_it_does(
    work: Workplace, world: World, line: str
):
    world.add_agent("Archive")
    work.first_backup()
    outcome = work.run(*line.split(), "--memori", "Ghost")
    expect(outcome, 2, "holds no Memori 'Ghost'", "hint: it holds: 'Guide', 'Archive'")


def test_snapshots_lists_what_there_is_for_people_and_for_machines(work: Workplace):
    work.backup()
    work.backup("--kind", "person")
    document = work.run("snapshots", "--json").json
    assert list(document)[:2] == ["command", "exit_code"]
    assert [each["run_id"] for each in document["snapshots"]] == [1, 1, 2, 2]
    assert list(document["snapshots"][3]["kinds"]) == ["person"]
    assert set(document["snapshots"][0]["files"]) == {
        "referenced", "downloaded", "unchanged", "missing", "failed", "bytes", "left_out",
    }  # fmt: skip
    out = work.run("snapshots").out
    assert "Guide" in out
    assert max(map(len, out.splitlines())) <= 80
    assert "\x1b" not in out


def test_show_tells_an_object_now_and_as_it_was_with_its_pin_as_stars(
    work: Workplace, sandbox: Sandbox, world: World
):
    first = work.backup()["snapshots"][1]["id"]
    between = datetime.now().isoformat()  # noqa: DTZ005 - a user means local time
    world.agent("Guide").people["p-anna-1"]["name"] = "Anna B."
    work.backup()
    today = datetime.now().date().isoformat()  # noqa: DTZ005 - as a user means it

    def name(*args: str) -> str:
        return work.run("show", "person", "p-anna-1", "--json", *args).json["document"]["name"]

    assert name() == "Anna B."
    assert name("--snapshot", str(first)) == "Anna"
    assert name("--at", between) == "Anna"
    assert name("--memori", "Guide") == "Anna B."
    assert name("--at", today) == "Anna B."
    out = work.run("show", "person", "p-anna-1").out
    assert "name: Anna B." in out
    assert "001234" not in out + work.run("show", "person", "p-anna-1", "--json").out
    assert "pin: ****" in out


@pytest.mark.parametrize(
    ("args", "part"),
    [
        ("ghost x", "no kind"),
        ("person ghost", "no person 'ghost'"),
        ("person p-anna-1 --memori Ghost", "no Memori 'Ghost'"),
        ("person p-anna-1 --snapshot 99", "no snapshot 99"),
        ("person p-anna-1 --snapshot 1", "no person"),
        ("person p-anna-1 --at someday", "not a time"),
        ("person p-anna-1 --at 1999-01-01", "no person"),
        ("person p-anna-1 --at 2026-01-01 --snapshot 2", "either"),
        ("localization_key GOODBYE", "several"),
    ],
)
def test_show_says_what_it_cannot_find(work: Workplace, sandbox, world, args: str, part: str):
    world.add_agent("Archive")
    work.backup()
    expect(work.run("show", *args.split()), 2, part)


def test_show_knows_files_too(work: Workplace):
    work.backup("--memori", "Guide")
    key = "asset/00000001-aaaa-4bbb-8ccc-000000000001.png"
    document = work.run("show", "file", key, "--memori", "Guide", "--json").json["document"]
    assert document["status"] == "stored"
    assert len(document["sha256"]) == 64


def test_show_tells_a_deleted_object_as_it_was_last(
    work: Workplace, sandbox: Sandbox, world: World
):
    work.backup()
    del world.agent("Guide").people["p-anna-1"]
    work.backup()
    shown = work.run("show", "person", "p-anna-1", "--json").json
    assert shown["is_deleted"] is True
    assert shown["document"]["name"] == "Anna"
    assert "deleted since" in work.run("show", "person", "p-anna-1").out


def test_a_run_limited_to_some_kinds_is_told_as_such(work: Workplace):
    work.backup("--kind", "person")
    out = work.run("snapshots").out
    assert "snapshot 2 of Guide looked only at person" in out
    assert "snapshot 1 of owner looked only at nothing" in out


def test_kinds_lists_every_kind_and_what_can_come_back(capsys):
    assert run(["kinds", "--json"]) == 0
    kinds = {each["name"]: each for each in json.loads(capsys.readouterr().out)["kinds"]}
    assert kinds["badge"]["restorable"] is False
    assert kinds["medium"]["parent"] == "memory"
    assert run(["kinds"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_migrate_makes_the_database_and_nothing_else(work: Workplace, sandbox: Sandbox):
    assert work.run("migrate", "--json").json["revision"] == schema.revisions()[-1]
    assert not sandbox.calls
    assert work.run("snapshots").code == 0


def test_check_finds_nothing_wrong_after_a_backup_and_a_lost_blob_later(work: Workplace):
    work.backup()
    assert work.run("check", "--json").json["damage"] == []
    (blob,) = [each for each in (work.files / "sha256").rglob("*") if each.is_file()]

    blob.write_bytes(b"short")
    damaged = work.run("check", "--json")
    assert damaged.code == damaged.json["exit_code"] == 4
    assert "wrong size" in damaged.json["damage"][0]["problem"]
    blob.unlink()
    outcome = work.run("check")
    assert outcome.code == 4
    assert "is not there" in " ".join(outcome.out.split())

    work.backup()
    assert work.run("check").code == 0


def test_config_init_writes_a_private_sample_that_is_fine_and_overwrites_nothing(
    work: Workplace, capsys, monkeypatch
):
    path = work.folder / "sample.toml"
    assert run(["config", "init", str(path)]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert run(["config", "check", "--config", str(path)]) == 2
    assert "there is no password" in capsys.readouterr().err
    monkeypatch.setenv("AISURU_SYNC_PASSWORD", "x")
    assert run(["config", "check", "--config", str(path)]) == 0
    assert run(["config", "init", str(path)]) == 2
    assert run(["config", "init", str(work.folder / "no" / "where.toml")]) == 8


def test_every_line_of_the_sample_is_a_setting_with_its_default(work: Workplace):
    path = work.folder / "sample.toml"
    run(["config", "init", str(path)])
    text = re.sub(r"^# (\w+ = |\[)", r"\1", path.read_text(), flags=re.MULTILINE)
    text = text.replace('database = "sqlite:////var/lib/aisuru-sync/mirror.db"\n', "")
    path.write_text(text)
    for secret in ("password", "ping-url"):
        (work.folder / secret).write_text("x")
    assert run(["config", "check", "--config", str(path)]) == 0


def test_config_check_shows_secrets_as_stars_and_tries_them_out_if_asked(
    work: Workplace, sandbox: Sandbox
):
    outcome = work.run("config", "check")
    assert outcome.code == 0
    assert sandbox.world.account.password not in outcome.out
    assert "account.password = ****" in outcome.out
    assert not sandbox.calls

    online = work.run("config", "check", "--online", "--json").json
    assert online["memoris"] == ["Guide"]
    assert not sandbox.sessions


def test_no_setting_that_names_nothing_is_shown_to_name_all(work: Workplace):
    lines = work.run("config", "check").out.splitlines()
    assert [each for each in lines if each.endswith(" = all")] == ["memori = all"]
    assert {"backup.without_files = -", "schedule = -"} <= {*lines}


def test_the_database_password_is_not_shown(work: Workplace):
    text = 'database = "postgresql+psycopg://sync:dbsecret@localhost/aisuru"'
    work.config.write_text(re.sub(r"database = .*", text, work.config.read_text()))
    out = work.run("config", "check").out
    assert "dbsecret" not in out
    assert "localhost/aisuru" in out


def serve_a_world(*args: str) -> dict[str, str]:
    """Run the sandbox as a process of its own, ask how it is, and stop it; returns what it told."""
    process = subprocess.Popen(
        [*command("sandbox --port 0 --json"), *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    document = json.loads(process.stdout.readline())
    answer = requests.get(document["url"] + "/api/v2/HealthCheck", timeout=5).json()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert answer["resultCode"] == 0
    assert process.returncode == 0, err
    return document


def test_the_sandbox_serves_until_it_is_stopped_and_goes_on_with_a_world_that_was_edited(
    tmp_path: Path,
):
    saved, again = tmp_path / "world.json", tmp_path / "again.json"
    told = serve_a_world("--save", str(saved))
    assert World.load(saved).account.user_name == told["user"]
    world = json.loads(saved.read_text())
    agent = next(iter(world["agents"].values()))
    title, memory = "Edited by hand", next(iter(agent["memories"].values()))
    memory["title"] = title
    saved.write_text(json.dumps(world))
    serve_a_world(str(saved), "--save", str(again))
    assert again.read_text().count(title) == 1


def test_the_sandbox_says_when_it_cannot_serve(tmp_path: Path, capsys):
    (tmp_path / "bad.json").write_text("{}")
    assert run(["sandbox", str(tmp_path / "bad.json")]) == 2
    assert run(["sandbox", str(tmp_path / "none.json")]) == 2
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert run(["sandbox", "--port", str(server.getsockname()[1])]) == 2
    assert "--port 0" in capsys.readouterr().err


def test_the_demo_shows_the_product_and_leaves_a_folder_to_look_at(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run(["demo"]) == 0
    out = capsys.readouterr().out
    for part in ("Guida", "updated", "deleted", "GIVER_PRESENTATION", "verified, all", "no damage"):
        assert part in out
    folder = re.search(r"All of it is in (\S+)", out)
    assert folder
    config = Path(folder[1]) / "aisuru-sync.toml"
    assert run(["snapshots", "--config", str(config)]) == 0
    assert max(map(len, out.partition("All of it")[0].splitlines())) <= 80


def test_output_into_a_pipe_that_closes_is_no_error(work: Workplace):
    work.backup()
    line = f"{PROGRAM} snapshots --config {work.config} | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert "Traceback" not in done.stderr


def test_there_is_no_escape_in_a_pipe_whatever_the_environment_says(work: Workplace):
    work.backup()
    done = subprocess.run(
        [*command("snapshots"), "--config", str(work.config)],
        env={**os.environ, "FORCE_COLOR": "1", "TERM": "xterm-256color"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "\x1b" not in done.stdout + done.stderr


def test_a_quiet_backup_is_silent_but_for_trouble(work: Workplace, world: World):
    outcome = work.run("backup", "-q")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    medium = world.agent("Guide").memories["m-hours-1"]["media"][0]
    medium["url"] = "https://assets.memori.ai/api/v2/asset/deadbeef-0000-4000-8000-000000000000.png"
    outcome = work.run("backup", "-q")
    assert outcome.code == 3
    assert "of Guide: 1 file is not there on the remote" in outcome.out


QUIET_IF_WELL = (
    "restore --drill",
    "restore --yes",
    "backup",
    "check",
    "check --read-data --remote",
    "config check --online",
    "config init other.toml",
    "export out",
    "migrate",
    "prune --keep-last 9",
    "repair",
)
ASKED_FOR = (
    "diff 2",
    "kinds",
    "log",
    "prune --keep-last 9 --dry-run",
    "restore --dry-run",
    "show person p-anna-1",
    "snapshots",
    "status",
)


def test_a_quiet_command_is_silent_if_all_went_well_and_tells_what_was_asked_for(
    work: Workplace, world: World, monkeypatch
):
    monkeypatch.chdir(work.folder)
    work.first_backup()
    del world.agent("Guide").people["p-anna-1"]
    for line in ASKED_FOR:
        told = work.run(*line.split(), "-q")
        assert (told.code, told.err) == (0, ""), line
        assert told.out == work.run(*line.split()).out != "", line
    for line in QUIET_IF_WELL:
        told = work.run(*line.split(), "--quiet")
        assert (told.code, told.out, told.err) == (0, "", ""), line
        assert work.run(*line.split(), "-q", "--json").json["command"]
    ever = {"demo", "sandbox", "daemon"}  # which serve, or are the show itself
    assert {each.split()[0] for each in (*QUIET_IF_WELL, *ASKED_FOR)} | ever == set(_COMMANDS)


def test_a_quiet_command_tells_what_did_not_go_well(work: Workplace, world: World):
    work.first_backup()
    blob = next(each for each in work.stored() if each.stat().st_size > 500)
    blob.write_bytes(b"")
    assert "1 damaged" in work.run("check", "-q").out
    assert "repaired: " in work.run("repair", "-q").out
    assert work.run("repair", "-q").out == ""
    blob.unlink()
    assert "could not be exported" in work.run("export", str(work.folder / "out"), "-q").out


@pytest.mark.parametrize(
    "line",
    [
        "memori = 5",
        '[account]\nbackend_url = "https://[bad"',
        '[storage]\ndatabase = "nonsense"',
        '[storage]\ndatabase = "mysql://x/y"',
        '[storage]\ndatabase = "postgresql+psycopg://u@h:port/d"',
        '[storage]\ndatabase = "postgresql+psycopg://u:p@ssw0rd@h/d"',
        '[storage]\nfiles = "~nosuchuser/x"',
        '[storage]\nfiles = "a\\u0000b"',
        '[account]\npassword_file = "a\\u0000b"',
        '[account]\npassword = "x"',
        '[account]\ntenant = ""',
    ],
)
def test_odd_settings_end_with_2_and_say_so(work: Workplace, line: str):
    work.config.write_text(line)
    outcome = work.run("config", "check")
    assert outcome.code == 2, outcome
    assert "ssw0rd" not in outcome.out + outcome.err


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AISURU_SYNC_STORAGE", "x"),
        ("AISURU_SYNC_MEMORI__7__NAME", "x"),
        ("AISURU_SYNC_MEMORI__X__NAME", "x"),
        ("REQUESTS_CA_BUNDLE", "/nowhere/ca.pem"),
    ],
)
def test_odd_variables_end_with_2_and_say_so(work: Workplace, monkeypatch, name: str, value: str):
    work.config.write_text(work.config.read_text() + '[[memori]]\nname = "Guide"\n')
    monkeypatch.setenv(name, value)
    monkeypatch.setenv("AISURU_SYNC_STORAGE__FILES", "files")
    assert work.run("backup").code == 2


@pytest.mark.parametrize(
    "args",
    [
        ["show", "person", "p-anna-1", "--snapshot", "9" * 30],
        ["show", "person", "p-anna-1", "--at", "9999-12-31T23:59:59-12:00"],
        ["show", "person", "\udcff"],
        ["restore", "--yes", "--at", ""],
        ["sandbox", "--port", "-1"],
        ["sandbox", "--port", "70000"],
        [],
    ],
)
def test_odd_arguments_end_with_2_and_say_so(work: Workplace, args: list[str]):
    work.backup()
    outcome = work.run(*args) if args else None
    assert (outcome.code if outcome else run([])) == 2


def test_an_application_that_the_site_trusts_backs_up_for_the_owner(
    workplace: Workplace, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
):
    key = "an application's key, which is long enough"
    sandbox.world.account.trusted_app_key = key
    monkeypatch.setenv("AISURU_SYNC_TRUSTED_APP_KEY", key)
    workplace.settle(sandbox, user=sandbox.world.account.email)
    workplace.backup()
    assert "account.trusted_app_key = ****" in workplace.run("config", "check").out
    assert "/api/v2/Login" not in [each.template for each in sandbox.calls]
    assert key not in "".join(workplace.spoken)

    for odd in ("ssh-rsa AAAA", "a key\nof two lines", "schlüssel"):
        monkeypatch.setenv("AISURU_SYNC_TRUSTED_APP_KEY", odd)
        refused = workplace.run("backup")
        assert (refused.code, odd in refused.err) == (2, False), refused

    workplace.settle(sandbox)
    monkeypatch.setenv("AISURU_SYNC_TRUSTED_APP_KEY", key)
    refused = workplace.run("backup")
    assert (refused.code, "by e-mail" in refused.err) == (2, True)
