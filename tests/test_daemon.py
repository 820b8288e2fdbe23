"""`aisuru-sync daemon` as a process of its own, against the sandbox."""

import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from file_host import Call, FileHost
from test_lost_database import cut_off
from workplace import Workplace

from sync.mirror.database import open_database
from sync.mirror.lock import hold
from sync.sandbox import Fault, FaultSet, Sandbox, World

HERE = Path(__file__).parent
PATIENCE_S = 60
SERVICE = """
[service]
listen = "127.0.0.1:0"
time_zone = "Europe/Berlin"
"""
NIGHTLY = SERVICE + '[[schedule]]\ncron = "0 3 * * *"\n'
START = "2026-03-28T12:00:00Z"


class Service:
    """A daemon that runs, and what it told so far."""

    def __init__(self, config: Path, *, environ: dict[str, str], start: str, silence: str) -> None:
        command = [sys.executable, str(HERE / "daemon_clock.py"), start, silence]
        reader, writer = os.pipe()
        stat = os.fstat(writer)
        if "JOURNAL_STREAM" in environ:
            environ["JOURNAL_STREAM"] = f"{stat.st_dev}:{stat.st_ino}"
        self.process = subprocess.Popen(
            [*command, "daemon", "--json", "--config", str(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=writer,
            text=True,
            env=environ,
        )
        os.close(writer)
        self._log = os.fdopen(reader)
        self.told: list[str] = []
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with self._log as lines:
            for line in lines:
                self._lines.put(line)
        self._lines.put("")

    def until(self, *parts: str) -> str:
        """Wait for a line of the log that holds all of these."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            try:
                line = self._lines.get(timeout=PATIENCE_S)
            except queue.Empty:
                break
            assert line, "".join(self.told)
            self.told.append(line)
            if all(part in line for part in parts):
                return line
        raise AssertionError("".join(self.told))

    def until_all(self, *lines: tuple[str, ...]) -> None:
        """Wait for lines, in whatever order they come."""
        missing = list(lines)
        while missing:
            line = self.until()
            missing = [parts for parts in missing if not all(each in line for each in parts)]

    def shift(self, seconds: float) -> None:
        assert self.process.stdin
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self, number: int = signal.SIGTERM) -> tuple[int, float, dict[str, Any]]:
        """Send a signal; returns the exit code, how long it took, and the JSON."""
        began = time.monotonic()
        self.process.send_signal(number)
        assert self.process.stdout
        out = self.process.stdout.read()
        code = self.process.wait(PATIENCE_S)
        took_s = time.monotonic() - began
        self._reader.join(PATIENCE_S)
        while not self._lines.empty():
            self.told.append(self._lines.get())
        return code, took_s, json.loads(out) if out else {}

    def count(self, *parts: str) -> int:
        return sum(all(part in line for part in parts) for line in self.told)

    def get(self, page: str) -> tuple[int, str]:
        port = self.until_port()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{page}") as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def until_port(self) -> int:
        started = next((line for line in self.told if "daemon.started" in line), "")
        return int((started or self.until("daemon.started")).split("port=")[1].split()[0])


@pytest.fixture
def serving(workplace: Workplace) -> Iterator[Callable[..., Service]]:
    """Starts daemons, and ends those that a test left."""
    started: list[Service] = []

    def start(begin: str = START, silence: str = "-", **environ: str) -> Service:
        known = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(HERE.parent), **environ}
        service = Service(workplace.config, environ=known, start=begin, silence=silence)
        started.append(service)
        return service

    yield start
    for each in started:
        each.process.kill()
        each.process.communicate()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def settled(workplace: Workplace, sandbox: Sandbox, more: str = NIGHTLY, **over: Any) -> None:
    """Settings of a service that backs up every night, if nothing else is said; and its tables."""
    workplace.settle(sandbox, more, **over)
    # A process of its own would take ten times as long for them.
    assert workplace.run("migrate").code == 0


def test_what_was_never_done_is_done_at_once_and_a_stop_ends_with_0(
    workplace: Workplace, sandbox: Sandbox, serving: Callable[..., Service]
):
    settled(workplace, sandbox)
    service = serving()
    service.until("job.finished", "job=backup", "exit_code=0")
    code, took_s, told = service.end()
    assert (code, told["exit_code"], told["jobs"]) == (0, 0, 1)
    assert took_s < 10
    assert workplace.sql("select distinct status, reason from snapshot") == [
        ("complete", "schedule")
    ]
    assert sandbox.sessions == {}


def test_a_day_of_cron_is_kept_through_the_change_of_clocks(
    workplace: Workplace, sandbox: Sandbox, serving: Callable[..., Service]
):
    settled(workplace, sandbox, SERVICE + '[[schedule]]\ncron = "0 */6 * * *"\nkinds = ["badge"]\n')
    service = serving("2026-03-28T22:30:00Z")
    service.until("job.finished")
    # 00:00, 06:00, 12:00 and 18:00 of a day that has 23 hours.
    for hours in (0.6, 5, 6, 6):
        service.shift(hours * 3600)
        service.until("job.finished")
    service.end()
    begun = [at[:16] for (at,) in workplace.sql("select started_at from job order by id")]
    assert [each[11:13] for each in begun] == ["22", "23", "04", "10", "16"]


def test_a_sleep_through_several_times_is_made_up_for_once(
    workplace: Workplace, sandbox: Sandbox, serving: Callable[..., Service]
):
    settled(workplace, sandbox)
    service = serving()
    service.until("job.finished")
    service.shift(4 * 24 * 3600)
    service.until("clock.set")
    service.until("job.finished")
    _, _, told = service.end()
    assert told["jobs"] == 2


def test_a_clock_that_is_set_back_stops_nothing(
    workplace: Workplace, sandbox: Sandbox, serving: Callable[..., Service]
):
    settled(workplace, sandbox)
    service = serving("2026-03-28T01:30:00Z")
    service.until("job.finished")
    service.shift(-3 * 3600)
    service.until("clock.set")
    service.shift(3.6 * 3600)
    service.until("job.finished")
    assert service.end()[0] == 0


def test_a_restart_forgets_nothing_that_was_missed(
    workplace: Workplace, sandbox: Sandbox, serving: Callable[..., Service]
):
    settled(workplace, sandbox)
    first = serving()
    first.until("job.finished")
    first.end()
    soon = serving("2026-03-28T13:00:00Z")
    soon.until("daemon.started")
    assert soon.end()[2]["jobs"] == 0
    later = serving("2026-04-02T13:00:00Z")
    later.until("job.finished")
    assert later.end()[2]["jobs"] == 1


def lingering(path: str) -> tuple[Fault, threading.Event, threading.Event]:
    reached, go_on = threading.Event(), threading.Event()

    def linger(_: Sandbox) -> None:
        reached.set()
        go_on.wait(PATIENCE_S)

    return Fault(path, "*", nth=1, do=linger), reached, go_on


@pytest.mark.parametrize("path", ["/memori/v2/memories/*", "/api/v2/asset/*"])
def test_a_stop_in_mid_backup_ends_it_within_ten_seconds(
    workplace: Workplace, serve, world: World, serving: Callable[..., Service], path: str
):
    fault, reached, go_on = lingering(path)
    with serve(world, faults=FaultSet([fault])) as sandbox:
        settled(workplace, sandbox)
        service = serving()
        assert reached.wait(PATIENCE_S)
        code, took_s, told = service.end()
        go_on.set()
        assert (code, told["exit_code"]) == (0, 0)
        assert took_s < 10
        statuses = Counter(status for (status,) in workplace.sql("select status from snapshot"))
        assert "interrupted" in statuses
        assert "running" not in statuses
        assert workplace.sql("select exit_code, error from job") == [(143, "stopped by SIGTERM")]
        # What was cut is taken up again soon.
        again = serving("2026-03-28T12:05:00Z")
        again.until("job.finished", "exit_code=0")
        again.end()


def test_a_second_stop_ends_it_at_once(
    workplace: Workplace, serve, world: World, serving: Callable[..., Service]
):
    # The answer to a login is waited for a little, since it opens what is closed then.
    fault, reached, go_on = lingering("/api/v2/login")
    with serve(world, faults=FaultSet([fault])) as sandbox:
        settled(workplace, sandbox)
        service = serving()
        assert reached.wait(PATIENCE_S)
        service.send(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            service.process.wait(0.5)
        code, _, told = service.end()
        go_on.set()
    assert (code, told["error"]["message"]) == (143, "stopped at once")


def test_a_stop_in_mid_retry_ends_it_at_once(
    workplace: Workplace, serve, world: World, serving: Callable[..., Service]
):
    busy = Fault(path="/memori/v2/people/*", status=503, headers={"Retry-After": "50"})
    with serve(world, faults=FaultSet([busy])) as sandbox:
        settled(workplace, sandbox, retry_s=60)
        service = serving()
        service.until("call.repeated")
        code, took_s, _ = service.end(signal.SIGINT)
        assert code == 0
        assert took_s < 10
        assert workplace.sql("select exit_code from job") == [(130,)]


def test_a_job_that_was_killed_is_taken_up_by_the_next_start(
    workplace: Workplace, serve, world: World, serving: Callable[..., Service]
):
    fault, reached, go_on = lingering("/memori/v2/memories/*")
    with serve(world, faults=FaultSet([fault])) as sandbox:
        settled(workplace, sandbox)
        service = serving()
        assert reached.wait(PATIENCE_S)
        service.end(signal.SIGKILL)
        go_on.set()
        again = serving("2026-03-28T12:00:30Z")
        again.until("job.repeated_at")
        again.shift(60)
        again.until("job.finished", "exit_code=0")
        again.end()
    assert workplace.sql("select exit_code from job order by id") == [(None,), (0,)]


def test_what_fails_is_tried_again_after_growing_pauses(
    workplace: Workplace, serve, world: World, serving: Callable[..., Service]
):
    down = Fault(path="/api/v2/badges/*", nth=1, times=3, status=500)
    with serve(world, faults=FaultSet([down])) as sandbox:
        settled(workplace, sandbox, NIGHTLY + 'kinds = ["badge"]\n')
        service = serving()
        for pause_min in (1, 2, 4):
            service.until("job.finished", "exit_code=3")
            service.until("job.repeated_at")
            service.shift(pause_min * 60)
        service.until("job.finished", "exit_code=0")
        assert service.end()[2]["jobs"] == 4


def test_refused_credentials_are_tried_once_until_a_human_gives_others(
    workplace: Workplace, sandbox: Sandbox, serving: Callable[..., Service]
):
    settled(workplace, sandbox, password="wrong")
    service = serving()
    service.until("job.finished", "exit_code=12")
    service.shift(2 * 24 * 3600)
    service.until("job.held")
    assert len([call for call in sandbox.calls if "Login" in str(call)]) == 1
    status, page = service.get("/healthz")
    assert status == 503
    assert "backup ended with 12" in " ".join(json.loads(page)["why"])
    (workplace.folder / "password").write_text(sandbox.world.account.password)
    service.send(signal.SIGHUP)
    service.until("settings.read")
    service.until("job.finished", "exit_code=0")
    service.end()


def test_new_settings_are_read_and_broken_ones_are_told_and_not_used(
    workplace: Workplace, sandbox: Sandbox, serving: Callable[..., Service]
):
    settled(workplace, sandbox)
    service = serving()
    service.until("job.finished")
    whole = workplace.config.read_text()
    workplace.config.write_text(whole.replace("0 3 * * *", "often"))
    service.send(signal.SIGHUP)
    assert "five fields" in service.until("settings.kept")
    more = '[[schedule]]\ncron = "0 4 * * *"\njob = "check"\nread_data = 100\n'
    workplace.config.write_text(whole + more)
    service.send(signal.SIGHUP)
    service.until("settings.read", "entries=2")
    service.until("job.finished", 'job="check 100%"', "exit_code=0")
    port = free_port()
    workplace.config.write_text(whole.replace("127.0.0.1:0", f"127.0.0.1:{port}"))
    service.send(signal.SIGHUP)
    service.until("settings.read", "entries=1")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz") as answer:
        assert answer.status == 200
    service.end()


def test_a_prune_is_a_job_of_the_schedule_and_counted_as_others_are(
    workplace: Workplace, sandbox: Sandbox, serving: Callable[..., Service]
):
    more = '[[schedule]]\ncron = "0 12 * * *"\njob = "prune"\n[prune]\nkeep_last = 1\n'
    settled(workplace, sandbox, NIGHTLY + more)
    service = serving()
    service.until_all(("job.finished", "job=backup"), ("job.finished", "job=prune"))
    service.shift(15 * 3600)
    service.until("job.finished", "job=backup", "exit_code=0")
    service.shift(8 * 3600)
    service.until("prune.done", "kept=1", "forgotten=1")
    service.until("job.finished", "job=prune", "exit_code=0")
    assert service.get("/healthz")[0] == 200
    assert 'aisuru_sync_jobs_total{exit_code="0",job="prune"} 2.0' in service.get("/metrics")[1]
    service.end()
    statuses = [status for (status,) in workplace.sql("select status from snapshot order by id")]
    assert statuses == ["forgotten", "forgotten", "complete", "complete"]
    assert workplace.run("check").code == 0


def test_a_scheduled_drill_finds_what_would_not_come_back_of_an_agent_that_is_whole(
    workplace: Workplace, sandbox: Sandbox, serving: Callable[..., Service]
):
    settled(workplace, sandbox, SERVICE + '[[schedule]]\ncron = "0 12 * * *"\njob = "drill"\n')
    workplace.backup()
    blobs = (each for each in (workplace.files / "sha256").rglob("*") if each.is_file())
    blob = next(blobs)
    blob.write_bytes(blob.read_bytes()[::-1])
    service = serving()
    service.until("step.failed", "kind=asset", "its stored file is damaged or lost")
    service.until("drill.done", "verified=false")
    service.until("job.finished", "job=drill", "exit_code=3")
    service.end()


def test_a_scheduled_job_waits_for_whoever_holds_the_mirror(
    workplace: Workplace, sandbox: Sandbox, serving: Callable[..., Service]
):
    settled(workplace, sandbox)
    service = serving()
    service.until("job.finished")
    engine = open_database(f"sqlite:///{workplace.folder}/mirror.db")
    with hold(engine, "a restore"):
        service.shift(24 * 3600)
        service.until("job.waits")
    service.until("job.finished", "exit_code=0")
    engine.dispose()
    service.end()


def test_a_job_waits_for_whoever_takes_the_mirror_just_as_it_begins(
    workplace: Workplace,
    database: str,
    sandbox: Sandbox,
    serving: Callable[..., Service],
    host: FileHost,
):
    workplace.database = database
    settled(workplace, sandbox)
    engine, held = open_database(database), ExitStack()

    def take_it_once(call: Call) -> None:
        if host.asked == ["/start"]:
            held.enter_context(hold(engine, "a backup"))
        call.start(Content_Length=0)

    # The watcher is told after the service looked at the lock, and before it takes it.
    host.files["/start"] = take_it_once
    with held:
        service = serving(AISURU_SYNC_PING_URL=host.url)
        service.until("job.begun")
        for _ in range(3):
            service.until("job.waits")
        assert workplace.sql("select * from job") == []
    engine.dispose()
    service.until("job.finished", "exit_code=0")
    assert service.end()[0] == 0
    assert service.count("job.begun") == 2
    assert workplace.sql("select exit_code from job") == [(0,)]
    assert host.asked == ["/start", "/start", "/0"]


def test_a_command_works_beside_the_service(
    workplace: Workplace, sandbox: Sandbox, serving: Callable[..., Service]
):
    settled(workplace, sandbox)
    service = serving()
    service.until("job.finished")
    workplace.backup()
    assert len(workplace.sql("select distinct run_id from snapshot")) == 2
    assert service.end()[0] == 0


def test_two_backups_at_once_are_one_and_the_other_says_who_is_at_work(
    workplace: Workplace, serve, world: World, serving: Callable[..., Service]
):
    fault, reached, go_on = lingering("/memori/v2/memories/*")
    with serve(world, faults=FaultSet([fault])) as sandbox:
        settled(workplace, sandbox)
        service = serving()
        assert reached.wait(PATIENCE_S)
        beside = workplace.run("backup", "--json")
        go_on.set()
        assert beside.code == 11
        assert "a scheduled backup" in beside.json["error"]["message"]
        service.until("job.finished", "exit_code=0")
        service.end()


@contextmanager
def systemd(folder: Path, watchdog_us: int = 300_000) -> Iterator[tuple[socket.socket, dict]]:
    """The socket that a service tells systemd by, and what it is started with to find it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(folder / "notify"))
        sock.settimeout(PATIENCE_S)
        yield (
            sock,
            {
                "NOTIFY_SOCKET": str(folder / "notify"),
                "WATCHDOG_USEC": str(watchdog_us),
            },
        )


def test_systemd_is_told_how_it_is(
    workplace: Workplace, sandbox: Sandbox, serving: Callable[..., Service], tmp_path: Path
):
    settled(workplace, sandbox)
    with systemd(tmp_path) as (sock, environ):
        service = serving(JOURNAL_STREAM="this one", **environ)
        heard: list[str] = []
        while not {"READY=1", "WATCHDOG=1"} <= {*heard} or "STATUS=idle" not in "".join(heard):
            heard.append(sock.recv(4096).decode())
        # Idle until the next night, it goes on to say that it lives.
        assert sock.recv(4096)
        heard.clear()
        service.send(signal.SIGTERM)
        # What nobody reads fills the socket, and what comes after is lost.
        while "STOPPING=1" not in heard:
            heard.append(sock.recv(4096).decode())
        assert service.end(0)[0] == 0
        # The journal sorts lines by what they begin with, and knows when they came.
        assert {line[:3] for line in service.told if line} == {"<6>"}
        assert "timestamp" not in "".join(service.told)


def test_lines_of_json_are_told_if_the_settings_say_so_whatever_becomes_of_them(
    workplace: Workplace, sandbox: Sandbox, serving: Callable[..., Service]
):
    settled(workplace, sandbox, NIGHTLY.replace("[service]", '[service]\nlog_format = "json"'))
    service = serving(JOURNAL_STREAM="this one")
    service.until('"event": "job.finished"', '"exit_code": 0')
    workplace.config.write_text("")
    service.send(signal.SIGHUP)
    service.until('"event": "settings.kept"')
    service.end()
    lines = [line for line in service.told if line]
    assert {line[:3] for line in lines} == {"<3>", "<6>"}
    assert all("timestamp" in json.loads(line[3:]) for line in lines)


def test_a_job_that_is_stuck_starves_the_watchdog(
    workplace: Workplace, serve, world: World, serving: Callable[..., Service], tmp_path: Path
):
    fault, reached, go_on = lingering("/memori/v2/memories/*")
    with (
        serve(world, faults=FaultSet([fault])) as sandbox,
        systemd(tmp_path) as (sock, environ),
    ):
        settled(workplace, sandbox)
        service = serving(silence="1", **environ)
        assert reached.wait(PATIENCE_S)
        sock.settimeout(3)
        with pytest.raises(TimeoutError):
            for _ in range(1000):
                sock.recv(4096)
        go_on.set()
        sock.settimeout(PATIENCE_S)
        while b"WATCHDOG=1" not in sock.recv(4096):
            pass
        service.end()


def test_health_and_metrics_say_how_the_mirror_is(
    workplace: Workplace, sandbox: Sandbox, serving: Callable[..., Service]
):
    settled(workplace, sandbox)
    service = serving()
    service.until("job.finished")
    status, page = service.get("/healthz")
    assert (status, json.loads(page)["status"]) == (200, "well")
    _, metrics = service.get("/metrics")
    assert 'aisuru_sync_jobs_total{exit_code="0",job="backup"} 1.0' in metrics
    for part in (
        'aisuru_sync_objects{kind="person"',
        'aisuru_sync_last_success_timestamp_seconds{kind="memory"',
        'aisuru_sync_changes_total{kind="person",op="created"',
        "aisuru_sync_file_bytes_total",
        "aisuru_sync_repeated_calls_total 0.0",
    ):
        assert part in metrics
    for secret in (sandbox.world.account.password, *sandbox.tokens, "271828", "001234"):
        assert secret not in metrics
        assert secret not in page
    service.end()
    for secret in (sandbox.world.account.password, "271828", "001234"):
        assert secret not in "".join(service.told)


def test_health_is_bad_while_the_last_whole_snapshot_is_too_old(
    workplace: Workplace, serve, world: World, serving: Callable[..., Service]
):
    down = Fault(path="/api/v2/login", method="POST", nth=2, times=50, status=500)
    with serve(world, faults=FaultSet([down])) as sandbox:
        settled(workplace, sandbox)
        service = serving()
        service.until("job.finished", "exit_code=0")
        assert service.get("/healthz")[0] == 200
        service.shift(30 * 3600)
        service.until("job.finished", "exit_code=5")
        status, page = service.get("/healthz")
        assert status == 503
        assert "Guide was last seen whole at 2026-03-28 12:00 UTC" in json.loads(page)["why"]
        service.end()


def test_without_a_mirror_health_is_bad(
    workplace: Workplace, serve, world: World, serving: Callable[..., Service]
):
    down = Fault(path="/api/v2/login", method="POST", nth=1, times=50, status=500)
    with serve(world, faults=FaultSet([down])) as sandbox:
        settled(workplace, sandbox)
        service = serving()
        service.until("job.finished", "exit_code=5")
        status, page = service.get("/healthz")
        assert (status, json.loads(page)["why"]) == (503, ["nothing was ever backed up"])
        service.end()


def test_a_watcher_is_told_of_start_and_end(
    workplace: Workplace, sandbox: Sandbox, serving: Callable[..., Service], host
):
    settled(workplace, sandbox)
    service = serving(AISURU_SYNC_PING_URL=f"{host.url}/s3cret-of-mine/")
    service.until("job.finished")
    code, _, _ = service.end()
    assert code == 0
    assert [each for each in host.asked if "s3cret" in each] == [
        "/s3cret-of-mine/start",
        "/s3cret-of-mine/0",
    ]
    assert "s3cret" not in "".join(service.told)


@pytest.mark.usefixtures("sandbox")
def test_a_service_without_a_schedule_says_so(work: Workplace):
    outcome = work.run("daemon", "--json")
    assert outcome.code == 2
    assert "[[schedule]]" in outcome.json["error"]["message"]


def test_an_address_that_is_taken_is_told(workplace: Workplace, sandbox: Sandbox):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        settled(workplace, sandbox, NIGHTLY.replace("127.0.0.1:0", f"127.0.0.1:{port}"))
        outcome = workplace.run("daemon", "--json")
    assert outcome.code == 8, outcome
    assert f"cannot listen on 127.0.0.1:{port}" in outcome.json["error"]["message"]


def test_an_address_that_is_none_is_told(workplace: Workplace, sandbox: Sandbox):
    settled(workplace, sandbox, NIGHTLY.replace("127.0.0.1:0", "nowhere.invalid:8400"))
    outcome = workplace.run("daemon", "--json")
    assert outcome.code == 8, outcome
    assert "cannot listen on nowhere.invalid:8400" in outcome.json["error"]["message"]


def test_a_start_waits_for_whoever_holds_the_mirror(
    workplace: Workplace, sandbox: Sandbox, serving: Callable[..., Service]
):
    port = free_port()
    settled(workplace, sandbox, NIGHTLY.replace("127.0.0.1:0", f"127.0.0.1:{port}"))
    engine = open_database(f"sqlite:///{workplace.folder}/mirror.db")
    with systemd(workplace.folder, 60_000_000) as (sock, environ):
        with hold(engine, "a restore"):
            service = serving(**environ)
            assert b"waits to begin: the mirror is in use by a restore" in sock.recv(4096)
            assert "in use by a restore" in service.until("daemon.waits")
            with pytest.raises(urllib.error.HTTPError, match="503") as unwell:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz")
            told = json.load(unwell.value)
            unwell.value.close()
            assert "waits to begin: the mirror is in use by a restore" in told["why"][0]
        service.until("job.finished", "exit_code=0")
        assert service.get("/healthz")[0] == 200
        service.end()
    assert service.count("daemon.waits") == 1
    engine.dispose()


def test_a_watcher_hears_of_jobs_that_are_held_and_no_good_check_hides_them(
    workplace: Workplace, sandbox: Sandbox, serving: Callable[..., Service], host
):
    workplace.settle(sandbox)
    workplace.backup()
    more = NIGHTLY + '[[schedule]]\ncron = "0 4 * * *"\njob = "check"\n'
    settled(workplace, sandbox, more, password="wrong")
    service = serving("2026-03-28T00:00:00Z", AISURU_SYNC_PING_URL=f"{host.url}/uuid")
    service.until("job.finished", "job=backup", "exit_code=12")
    service.until("job.finished", "job=check", "exit_code=0")
    service.shift(24 * 3600)
    # Which of the two is due first is a matter of the scheduler's thread; each is told of at last.
    service.until_all(("job.held",), ("job.finished", "job=check", "exit_code=0"))
    while service.count("ping.refused", "what=/12") < 4:
        service.until()
    service.end()
    ends = [each for each in host.asked if not each.endswith("/start")]
    assert ends == ["/uuid/12"] * 4


def test_new_settings_may_name_another_mirror(
    workplace: Workplace, sandbox: Sandbox, serving: Callable[..., Service]
):
    settled(workplace, sandbox)
    service = serving()
    service.until("job.finished")
    settings = workplace.config.read_text()
    another = settings.replace("mirror.db", "another.db").replace('"files"', '"other files"')
    workplace.config.write_text(another)
    service.send(signal.SIGHUP)
    service.until("settings.read")
    service.until("job.finished", "exit_code=0")
    service.end()
    assert (workplace.folder / "another.db").exists()


def test_one_mirror_has_one_service_and_commands_work_beside_it(
    workplace: Workplace, sandbox: Sandbox, serving: Callable[..., Service], database: str
):
    workplace.database = database
    settled(workplace, sandbox)
    service = serving()
    service.until("job.finished")
    second = serving()
    assert second.process.wait(PATIENCE_S) == 11
    _, _, told = second.end(0)
    pid = service.process.pid
    assert told["error"]["message"] == f"another daemon (process {pid}) serves this mirror"
    assert workplace.run("migrate").code == 0
    workplace.backup()
    service.end(signal.SIGKILL)
    third = serving("2026-04-02T13:00:00Z")
    third.until("job.finished", "exit_code=0")
    third.end()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("is_taken", [False, True])
def test_a_service_whose_server_forgot_it_is_the_one_again_before_its_next_job(
    workplace: Workplace,
    sandbox: Sandbox,
    serving: Callable[..., Service],
    database: str,
    *,
    is_taken: bool,
):
    workplace.database = database
    settled(workplace, sandbox)
    service = serving()
    service.until("job.finished")
    assert cut_off(database, "the one that holds the lock")
    if is_taken:
        second = serving()
        second.until("daemon.started")
        service.shift(86_400)
        assert service.process.wait(PATIENCE_S) == 11
    else:
        service.shift(86_400)
        service.until("job.finished", "exit_code=0")
        second = serving()
        assert second.process.wait(PATIENCE_S) == 11


def test_a_service_that_moves_takes_no_mirror_that_is_served_and_leaves_its_own_to_others(
    workplace: Workplace, sandbox: Sandbox, serving: Callable[..., Service]
):
    settled(workplace, sandbox)
    mover = serving()
    mover.until("job.finished")
    here = workplace.config.read_text()
    workplace.config.write_text(here.replace("mirror.db", "another.db"))
    other = serving()
    other.until("job.finished")
    mover.send(signal.SIGHUP)
    assert f"another daemon (process {other.process.pid})" in mover.until("settings.kept")
    workplace.config.write_text(here)
    assert serving().process.wait(PATIENCE_S) == 11
    workplace.config.write_text(here.replace("mirror.db", "another.db"))
    other.end()
    mover.send(signal.SIGHUP)
    mover.until("settings.read")
    workplace.config.write_text(here)
    heir = serving()
    heir.until("daemon.started")
    heir.end()
    mover.end()


def test_a_clock_that_is_set_back_while_a_job_runs_starves_no_watchdog(
    workplace: Workplace, serve, world: World, serving: Callable[..., Service], tmp_path: Path
):
    fault, reached, go_on = lingering("/memori/v2/memories/*")
    with (
        serve(world, faults=FaultSet([fault])) as sandbox,
        systemd(tmp_path) as (sock, environ),
    ):
        settled(workplace, sandbox)
        service = serving(**environ)
        assert reached.wait(PATIENCE_S)
        service.shift(-3600)
        beats = 0
        while beats < 20:
            beats += b"WATCHDOG=1" in sock.recv(4096)
        go_on.set()
        service.until("job.finished", "exit_code=0")
        service.end()


def test_a_watcher_whose_url_cannot_be_read_is_told_at_the_start(work: Workplace, sandbox: Sandbox):
    settled(work, sandbox, NIGHTLY.replace("[service]", '[service]\nping_url_file = "nowhere"'))
    outcome = work.run("daemon", "--json")
    assert outcome.code == 2
    assert "cannot read the secret in" in outcome.json["error"]["message"]
