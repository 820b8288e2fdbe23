"""The service: does what the schedule says, one job at a time, and tells how it is (design 11).

The scheduler's thread only says what is due. Jobs run in the main thread, where signals arrive, so
that a stop ends them as it ends a command. What is due is derived from the mirror: a restart, a
crash or a long sleep forgets nothing, and several times that were missed are one.
"""

import os
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime, tzinfo
from queue import Empty, SimpleQueue
from typing import NoReturn
from zoneinfo import ZoneInfo

import structlog
import tzlocal
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.date import DateTrigger
from apscheduler.triggers.interval import IntervalTrigger

from sync import config as settings
from sync.api.ping import Ping
from sync.app import App
from sync.backup import backup
from sync.check import check
from sync.drill import drill
from sync.errors import (
    AccountRefused,
    DamageFound,
    Interrupted,
    Locked,
    SyncError,
    UsageError,
    worst,
)
from sync.kind import Scope
from sync.mirror import jobs
from sync.schedule import Attempts, Entry, due_at, next_time
from sync.selection import Selection
from sync.stop import Stop
from sync.systemd import Systemd
from sync.wanted import choose_snapshot
from sync.web import Metrics, serving

_TICK_S = 5.0
"""How often the main thread looks around while there is nothing to do."""
_JUMP_S = 3.0
"""By how much the clock must differ from the time that went by to have been set."""
_SILENCE_S = 300.0
"""How long a job may tell nothing, beyond what one call or one file may take."""
_SHOWN = 20
"""How much damage the log tells of; `check` tells all."""
_BUG = 1


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
        load: reads the settings and makes the hands.
        stop: asked by a signal.
        systemd: is told how it is.

    Attributes:
        jobs_done: how many came to an end, well or not.
    """

    def __init__(self, load: Callable[[], App], stop: Stop, systemd: Systemd) -> None:
        self._load, self._stop, self._systemd = load, stop, systemd
        self._app = load()
        self._log = structlog.get_logger("daemon")
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._said: SimpleQueue[Entry | None] = SimpleQueue()
        self._due: dict[str, Entry] = {}
        self._attempts: dict[str, Attempts] = {}
        self._metrics = Metrics()
        self._site = ExitStack()
        self._wants_reload = False
        self._refusal = ""
        self._alive_at = time.monotonic()
        self._told_at = 0.0
        self.jobs_done = 0
        self._clock = _offset()

    def ask_to_reload(self) -> None:
        """Read the settings again as soon as no job runs; may be called from a signal handler."""
        self._wants_reload = True
        self._said.put(None)

    def run(self) -> NoReturn:
        """Work until a stop is asked for.

        Raises:
            Interrupted: that is how it ends.
            NoMirror, StorageError, UsageError: it cannot begin.
        """
        if not self._app.config.schedule:
            raise UsageError("there is no [[schedule]]", "see the comments of the sample")
        with self._app.writing("the service's start") as mirror:
            # Whoever starts the service again after a refusal means it to be tried.
            self._attempts = {
                name: Attempts(run.started_at, run.exit_code, run.failures)
                for name, run in jobs.last_runs(mirror).items()
                if run.exit_code != AccountRefused.exit_code
            }
        self._scheduler.start()
        with ExitStack() as stack:
            stack.callback(self._scheduler.shutdown, wait=False)
            stack.callback(self._systemd.tell, STOPPING="1")
            stack.callback(lambda: self._site.close())  # noqa: PLW0108 - the one of then
            port = self._show_at(self._app.config.service.listen)
            self._arm()
            self._systemd.tell(READY="1")
            self._log.info("daemon.started", entries=len(self._app.config.schedule), port=port)
            while True:
                self._turn()

    def _show_at(self, listen: str) -> int:
        """Serve the pages at an address, and no longer at the one before; returns the port."""
        with ExitStack() as stack:
            port = stack.enter_context(serving(listen, lambda: self._app, self._metrics))
            self._site.close()
            self._site = stack.pop_all()
        return port

    def _turn(self) -> None:
        """Wait for what is due, look around, and do one thing."""
        self._show_idle()
        with suppress(Empty):
            entry = self._said.get(timeout=0 if self._due else _TICK_S)
            while True:
                if entry:
                    self._due.setdefault(entry.name, entry)
                entry = self._said.get_nowait()
        self._alive_at = time.monotonic()
        if self._stop.event.is_set():
            # What the signal raised may have been swallowed, as logging does.
            raise Interrupted(self._stop.why)
        if self._wants_reload:
            self._reload()
        if abs(_offset() - self._clock) > _JUMP_S:
            self._log.warning("clock.set", by_s=round(_offset() - self._clock))
            self._arm()
        if self._due:
            entry = self._due.pop(next(iter(self._due)))
            # It may have been said twice, by the scheduler and by a look at what was missed.
            if self._due_at(entry, datetime.now(UTC)) <= datetime.now(UTC):
                with self._app.redactor.for_now():
                    self._do(entry)

    def _arm(self) -> None:
        """Tell the scheduler what is due when, as things are now."""
        self._clock = _offset()
        self._scheduler.remove_all_jobs()
        period_s = min(self._systemd.watchdog_s or 60.0, 60.0) / 3
        self._scheduler.add_job(self._beat, IntervalTrigger(seconds=period_s, timezone=UTC))
        now = datetime.now(UTC)
        for entry in self._app.config.schedule:
            self._scheduler.add_job(self._said.put, _Cron(entry, self._zone), [entry])
            self._catch_up(entry, now)

    def _catch_up(self, entry: Entry, now: datetime) -> None:
        """Do what was missed, or went wrong, before its next time comes."""
        due = self._due_at(entry, now)
        if due <= now:
            self._said.put(entry)
        elif due < next_time(entry.cron, self._zone, now):
            self._log.info("job.repeated_at", job=entry.name, at=due.isoformat(timespec="seconds"))
            self._scheduler.add_job(
                self._said.put, DateTrigger(due, UTC), [entry], id=entry.name, replace_existing=True
            )
            return
        if self._scheduler.get_job(entry.name):
            self._scheduler.remove_job(entry.name)

    def _due_at(self, entry: Entry, now: datetime) -> datetime:
        return due_at(entry, self._attempts.get(entry.name), self._zone, now)

    def _beat(self) -> None:
        """Feed the watchdog, as long as the scheduler and the main thread get on."""
        allowed_s = _allowed_silence_s(self._app.config.backup)
        if time.monotonic() - self._alive_at < allowed_s:
            self._systemd.tell(WATCHDOG="1")

    def _reload(self) -> None:
        self._wants_reload = False
        try:
            app = self._load()
            if not app.config.schedule:
                raise UsageError("there is no [[schedule]]")
            if app.config.service.listen != self._app.config.service.listen:
                self._show_at(app.config.service.listen)
        except SyncError as error:
            self._log.error("settings.kept", why=str(error))
            return
        self._app = app
        if self._refusal:
            self._refusal = ""
            self._attempts = {
                name: each
                for name, each in self._attempts.items()
                if each.exit_code != AccountRefused.exit_code
            }
        self._log.info("settings.read", entries=len(app.config.schedule))
        self._arm()

    def _do(self, entry: Entry) -> None:
        """Do one job, and tell everyone how it went."""
        if self._refusal and entry.job != "check":
            self._log.error("job.held", job=entry.name, why=self._refusal)
            return
        ping = Ping(settings.ping_url(self._app.config, os.environ))
        started_at, began = datetime.now(UTC), time.monotonic()
        self._log.info("job.begun", job=entry.name)
        self._show(f"{entry.name}: begins")
        ping.start()
        exit_code, error = self._attempt(entry)
        ping.end(exit_code)
        took_s = time.monotonic() - began
        self.jobs_done += 1
        self._metrics.job_done(entry.job, exit_code, took_s)
        tell = self._log.info if exit_code == 0 else self._log.error
        tell("job.finished", job=entry.name, exit_code=exit_code, s=round(took_s, 1), why=error)
        before = self._attempts.get(entry.name)
        failures = (before.failures if before else 0) + 1 if exit_code else 0
        self._attempts[entry.name] = Attempts(started_at, exit_code, failures)
        self._catch_up(entry, datetime.now(UTC))

    def _attempt(self, entry: Entry) -> tuple[int, str]:
        """Do a job and note it in the mirror; returns its exit code, and what went wrong."""
        try:
            with self._app.reading() as mirror:
                job_id = jobs.begin(mirror, entry.name)
            exit_code, error = self._outcome(entry)
            with self._app.reading() as mirror:
                jobs.end(mirror, job_id, exit_code, error or None)
        except Interrupted:
            raise
        except SyncError as failure:
            return failure.exit_code, str(failure)
        return exit_code, error

    def _outcome(self, entry: Entry) -> tuple[int, str]:
        while True:
            try:
                return self._carry_out(entry), ""
            except Locked as error:
                self._log.info("job.waits", job=entry.name, why=str(error))
                self._show(f"{entry.name}: waits, {error}")
                self._alive_at = time.monotonic()
                self._stop.event.wait(_TICK_S)
            except Interrupted:
                raise
            except SyncError as error:
                if isinstance(error, AccountRefused):
                    self._refusal = str(error)
                return worst((error.exit_code, *error.also)), str(error)
            except Exception as error:  # noqa: BLE001 - the next job may fare better
                self._log.exception("job.crashed", job=entry.name)
                return _BUG, f"this is a bug: {type(error).__name__}"

    def _carry_out(self, entry: Entry) -> int:
        app = self._app
        if entry.job == "check":
            with app.reading() as mirror:
                report = check(mirror, app.store, app.kinds, entry.read_data, self._watch)
            for each in report.damage[:_SHOWN]:
                self._log.error("damage.found", what=each.what, where=each.where, why=each.problem)
            return DamageFound.exit_code if report.damage else 0
        if entry.job == "drill":
            return self._rehearse(entry)
        memoris = (entry.memori,) if entry.memori else ()
        with app.writing("a scheduled backup") as mirror, app.account() as account:
            wishes = app.wishes(memoris, entry.kinds, "schedule")
            result = backup(account, mirror, app.store, app.kinds, wishes, self._watch)
            self._metrics.run_done(result.snapshots, account.repeats)
        return result.exit_code

    def _rehearse(self, entry: Entry) -> int:
        """Rehearse the restore of an agent, or of all that are backed up, one after another."""
        app = self._app
        names = [entry.memori] if entry.memori else app.memoris
        with app.reading() as mirror:
            names = names or [
                each.remote_id
                for each in mirror.sources()
                if each.scope is Scope.MEMORI and each.gone_at is None
            ]
            snapshots = [choose_snapshot(mirror, name) for name in names]
        exit_codes = []
        for each in snapshots:
            into = each.source.remote_id
            _, result = drill(app, each, into, Selection(), self._watch)
            self._log.info("drill.done", memori=each.source.name, verified=result.verified)
            exit_codes.append(result.exit_code)
        return worst(exit_codes)

    def _watch(self, name: str, what: str, number: int, of: int | None) -> None:
        """Notice that a job gets on."""
        self._alive_at = time.monotonic()
        if self._alive_at - self._told_at > _TICK_S:
            self._show(f"{name}: {what} {number}" + (f" of {of}" if of else ""))

    def _show_idle(self) -> None:
        if self._refusal:
            self._show(f"waits for new credentials, then reload: {self._refusal}")
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
        name = self._app.config.service.time_zone
        return ZoneInfo(name) if name else tzlocal.get_localzone()


def _allowed_silence_s(limits: settings.BackupConfig) -> float:
    """How long a job may tell nothing and still be taken for alive."""
    return _SILENCE_S + limits.file_s + limits.retry_s


def _offset() -> float:
    """The clock against the time that goes by: it only changes when somebody sets the clock."""
    return time.time() - time.monotonic()
