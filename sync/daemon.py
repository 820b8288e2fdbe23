"""The service: does what the schedule says, one job at a time, and tells how it is (design 11).

The scheduler's thread only says what is due. Jobs run in the main thread, where signals arrive, so
that a stop ends them as it ends a command. What is due is derived from the mirror: a restart, a
crash or a long sleep forgets nothing, and several times that were missed are one.
"""

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, tzinfo
from queue import Empty, SimpleQueue
from typing import NoReturn

import structlog
import tzlocal
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.date import DateTrigger

from sync import config as settings
from sync.api.ping import Ping
from sync.app import App
from sync.errors import AccountRefused, Interrupted, Locked, SyncError, worst
from sync.job import Refusal, attempt, must_wait
from sync.mirror import jobs
from sync.mirror.lock import Place
from sync.schedule import LOCAL, Attempts, Entry, due_at, next_time
from sync.stop import Stop
from sync.systemd import Systemd
from sync.web import Metrics, Pages

_TICK_S = 5.0
"""How often the main thread looks around while there is nothing to do."""
_JUMP_S = 3.0
"""By how much the clock must differ from the time that went by to have been set."""
_SILENCE_S = 300.0
"""How long a job may tell nothing, beyond what one call or one file may take."""
_SCHEDULER = "APScheduler"
"""What its thread is called."""


class _Cron(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types
    """Cron as cronsim reads it; APScheduler's own loses days and counts weekdays differently."""

    def __init__(self, entry: Entry, zone: tzinfo) -> None:
        self._entry, self._zone = entry, zone

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime:
        """The next time after the last one, a little later if there is a jitter."""
        regular = next_time(self._entry.cron, self._zone, max(previous or now, now))
        later: datetime = self._apply_jitter(regular, self._entry.jitter_s, now)
        return later


class Daemon:
    """Runs jobs until it is asked to stop.

    Args:
        load: reads settings with a schedule; makes the hands, and the watcher outside.
        stop: asked by a signal.
        systemd: is told how it is.

    Attributes:
        jobs_done: how many came to an end, well or not.
    """

    def __init__(self, load: Callable[[], tuple[App, Ping]], stop: Stop, systemd: Systemd) -> None:
        self._load, self._stop, self._systemd = load, stop, systemd
        self._app, self._ping = load()
        self._log = structlog.get_logger("daemon")
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._said: SimpleQueue[Entry | None] = SimpleQueue()
        self._due: dict[str, Entry] = {}
        self._attempts: dict[str, Attempts] = {}
        self._metrics = Metrics()
        self._pages = Pages(lambda: self._app, lambda: self._held_up, self._metrics)
        self._place = Place()
        self._held_up = ""
        self.jobs_done = 0
        self._wants_reload = False
        self._refusal: Refusal | None = None
        self._alive_at = time.monotonic()
        self._told_at = 0.0
        self._clock = _offset()

    def ask_to_reload(self) -> None:
        """Read the settings again as soon as no job runs; may be called from a signal handler."""
        self._wants_reload = True
        self._said.put(None)

    def run(self) -> NoReturn:
        """Work until a stop is asked for.

        Raises:
            Interrupted: that is how it ends.
            Locked: another daemon serves the mirror.
            NoMirror, StorageError, UsageError: it cannot begin.
        """
        with self._systemd.beating(self._is_alive), ExitStack() as stack:
            stack.callback(self._place.leave)
            stack.callback(self._pages.close)
            self._place.take(self._app.config.storage.database)
            port = self._pages.show_at(self._app.config.service.listen)
            self._attempts = self._past(self._app)
            self._scheduler.start()
            stack.callback(self._scheduler.shutdown, wait=False)
            stack.callback(self._systemd.tell, STOPPING="1")
            self._arm()
            self._systemd.tell(READY="1")
            self._log.info("daemon.started", entries=len(self._app.config.schedule), port=port)
            while True:
                self._turn()

    def _past(self, app: App) -> dict[str, Attempts]:
        """What was done so far, from the mirror, which is made or migrated if need be."""
        try:
            while True:
                try:
                    with app.writing("the service's start") as mirror:
                        # Whoever starts it after a refusal means it to be tried again.
                        return {
                            name: Attempts(run.started_at, run.exit_code, run.failures)
                            for name, run in jobs.last_runs(mirror).items()
                            if run.exit_code != AccountRefused.exit_code
                        }
                except Locked as error:
                    if not self._held_up:
                        self._log.warning("daemon.waits", why=str(error))
                    self._held_up = f"waits to begin: {error}"
                    self._wait(self._held_up)
        finally:
            self._held_up = ""

    def _turn(self) -> None:
        """Wait for what is due, look around, and do one thing."""
        self._show_idle()
        with suppress(Empty):
            entry = self._said.get(timeout=0 if self._due else _TICK_S)
            while True:
                if entry in self._app.config.schedule and entry:
                    self._due[entry.name] = entry
                entry = self._said.get_nowait()
        self._look_at_stop()
        if self._wants_reload:
            self._reload()
        if abs(_offset() - self._clock) > _JUMP_S:
            self._log.warning("clock.set", by_s=round(_offset() - self._clock))
            self._arm()
        if self._due:
            entry = self._due.pop(next(iter(self._due)))
            now = datetime.now(UTC)
            # It may have been said twice, by the scheduler and by a look at what was missed.
            if due_at(entry, self._attempts.get(entry.name), self._zone, now) <= now:
                with self._app.redactor.for_now():
                    self._do(entry)

    def _look_at_stop(self) -> None:
        self._alive_at = time.monotonic()
        if self._stop.event.is_set():
            # What the signal raised may have been swallowed by a third party.
            raise Interrupted(self._stop.why)

    def _wait(self, status: str) -> None:
        """Let some time go by in which somebody else has to do something."""
        self._show(status)
        self._look_at_stop()
        self._stop.event.wait(_TICK_S)

    def _arm(self) -> None:
        """Tell the scheduler what is due when, as things are now."""
        self._clock = _offset()
        self._scheduler.remove_all_jobs()
        for entry in self._app.config.schedule:
            self._scheduler.add_job(self._said.put, _Cron(entry, self._zone), [entry])
            self._catch_up(entry)

    def _catch_up(self, entry: Entry) -> None:
        """Do what was missed, or went wrong, before its next time comes."""
        now = datetime.now(UTC)
        due = due_at(entry, self._attempts.get(entry.name), self._zone, now)
        if due <= now:
            self._said.put(entry)
        elif due < next_time(entry.cron, self._zone, now):
            self._log.info("job.repeated_at", job=entry.name, at=due.isoformat(timespec="seconds"))
            # If it is done before, it is not due then.
            self._scheduler.add_job(self._said.put, DateTrigger(due, UTC), [entry])

    def _is_alive(self) -> bool:
        """Do scheduler and main thread get on?"""
        allowed_s = _allowed_silence_s(self._app.config.backup)
        names = {each.name for each in threading.enumerate()}
        is_scheduling = _SCHEDULER in names or not self._scheduler.running
        return is_scheduling and time.monotonic() - self._alive_at < allowed_s

    def _reload(self) -> None:
        self._wants_reload = False
        before, attempts, refusal = self._app, self._attempts, self._refusal
        try:
            app, ping = self._load()
            if refusal and refusal.credentials != app.credentials():
                refusal = None
            self._place.take(app.config.storage.database)
            if app.config.storage != before.config.storage or refusal is not self._refusal:
                attempts = self._past(app)
            if app.config.service.listen != before.config.service.listen:
                self._pages.show_at(app.config.service.listen)
        except Interrupted:
            raise
        except SyncError as error:
            self._log.error("settings.kept", why=str(error))
            self._place.take(before.config.storage.database)
            return
        self._app, self._ping, self._attempts, self._refusal = app, ping, attempts, refusal
        self._log.info("settings.read", entries=len(app.config.schedule))
        self._due.clear()
        self._arm()

    def _do(self, entry: Entry) -> None:
        """Do one job, and tell everyone how it went."""
        if self._refusal and entry.job not in LOCAL:
            self._log.error("job.held", job=entry.name, why=self._refusal.why)
            self._ping.end(AccountRefused.exit_code)
            return
        self._place.keep()
        if must_wait(self._app, entry):
            self._put_off(entry)
            return
        started_at, began = datetime.now(UTC), time.monotonic()
        self._log.info("job.begun", job=entry.name)
        self._show(f"{entry.name}: begins")
        self._ping.start()
        try:
            outcome = attempt(self._app, entry, self._stop, self._watch, self._metrics)
        except Locked:
            self._put_off(entry)
            return
        exit_code, why, took_s = outcome.exit_code, outcome.why, time.monotonic() - began
        self.jobs_done += 1
        self._refusal = outcome.refusal or self._refusal
        self._metrics.job_done(entry.job, exit_code, took_s)
        before = self._attempts.get(entry.name)
        failures = (before.failures if before else 0) + 1 if exit_code else 0
        self._attempts[entry.name] = Attempts(started_at, exit_code, failures)
        # A watcher must not take a good check for the end of all trouble.
        last = (self._attempts.get(each.name) for each in self._app.config.schedule)
        self._ping.end(exit_code or worst(each.exit_code or 0 for each in last if each))
        tell = self._log.error if exit_code else self._log.info
        tell("job.finished", job=entry.name, exit_code=exit_code, s=round(took_s, 1), why=why)
        self._catch_up(entry)

    def _put_off(self, entry: Entry) -> None:
        """Wait a little for whoever has the mirror; then the job is looked at again."""
        self._log.info("job.waits", job=entry.name)
        self._wait(f"{entry.name}: waits until another process has finished with the mirror")
        self._said.put(entry)

    def _watch(self, name: str, what: str, number: int, of: int | None) -> None:
        """Notice that a job gets on, and whether it shall."""
        self._look_at_stop()
        if self._alive_at - self._told_at > _TICK_S:
            self._show(f"{name}: {what} {number}" + (f" of {of}" if of else ""))

    def _show_idle(self) -> None:
        if self._refusal:
            self._show(f"waits for other credentials, then reload or restart: {self._refusal.why}")
            return
        now = datetime.now(UTC)
        at, name = min(
            (next_time(each.cron, self._zone, now), each.name) for each in self._app.config.schedule
        )
        self._show(f"idle; next: {name} at {at.astimezone(self._zone):%Y-%m-%d %H:%M}")

    def _show(self, status: str) -> None:
        self._told_at = time.monotonic()
        self._systemd.tell(STATUS=status)

    @property
    def _zone(self) -> tzinfo:
        return self._app.zone or tzlocal.get_localzone()


def _allowed_silence_s(limits: settings.BackupConfig) -> float:
    """How long a job may tell nothing and still be taken for alive."""
    return _SILENCE_S + limits.file_s + limits.retry_s


def _offset() -> float:
    """The clock against the time that goes by: it only changes when somebody sets the clock."""
    return time.time() - time.monotonic()
