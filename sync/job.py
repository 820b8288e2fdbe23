"""What the service does at one time: a backup, a check, a prune, or a rehearsed restore."""

from contextlib import suppress
from dataclasses import dataclass, replace

import structlog

from sync.api.account import Credentials
from sync.app import App
from sync.backup import backup
from sync.check import check
from sync.drill import drill
from sync.errors import (
    AccountRefused,
    DamageFound,
    Interrupted,
    Locked,
    NoMirror,
    RemoteError,
    SyncError,
    UsageError,
    worst,
)
from sync.kind import Scope
from sync.mirror import jobs
from sync.mirror.lock import is_held
from sync.mirror.values import Reason, Snapshot
from sync.prune import prune
from sync.restore_point import choose_snapshot
from sync.schedule import Entry
from sync.selection import Selection
from sync.stop import Stop
from sync.watch import Watch
from sync.web import Metrics

_SHOWN = 20
"""How much damage the log tells of; the command `check` tells all."""


@dataclass(frozen=True)
class Refusal:
    """That the account was refused: nothing is tried again with its credentials."""

    credentials: Credentials
    why: str


@dataclass(frozen=True)
class Outcome:
    """How a job went.

    Attributes:
        exit_code: that a command would have ended with.
        why: what went wrong, without secrets; "" if nothing did.
        refusal: of the account, if it came to that.
    """

    exit_code: int = 0
    why: str = ""
    refusal: Refusal | None = None


def must_wait(app: App, entry: Entry) -> bool:
    """Does somebody else write to the mirror, where the job must write as well?"""
    if entry.job == "check":
        return False
    try:
        with app.reading() as mirror:
            return is_held(mirror.engine)
    except SyncError:
        # The job will say so, and be noted as failed.
        return False


def attempt(app: App, entry: Entry, stop: Stop, watch: Watch, metrics: Metrics) -> Outcome:
    """Do what an entry says, and note in the mirror when, and how it went.

    Raises:
        Interrupted: a stop was asked for; that is noted, too.
        Locked: somebody else took the mirror since `must_wait` looked; of that nothing is noted.
    """
    outcome, job_id = Outcome(), None
    try:
        # If somebody took the mirror away, a backup makes it again.
        with suppress(NoMirror), app.reading() as mirror:
            job_id = jobs.begin(mirror, entry.name)
        try:
            outcome = _outcome(app, entry, watch, metrics)
        except Interrupted as stopped:
            _note_end(app, job_id, Outcome(stop.exit_code, str(stopped)))
            raise
        except Locked:
            if job_id is not None:
                with suppress(SyncError), app.reading() as mirror:
                    jobs.withdraw(mirror, job_id)
            raise
        _note_end(app, job_id, outcome)
    except (Interrupted, Locked):
        raise
    except SyncError as failure:
        return replace(outcome, exit_code=failure.exit_code, why=app.redactor(str(failure)))
    return outcome


def _note_end(app: App, job_id: int | None, outcome: Outcome) -> None:
    if job_id is not None:
        with app.reading() as mirror:
            jobs.end(mirror, job_id, outcome.exit_code, outcome.why or None)


def _outcome(app: App, entry: Entry, watch: Watch, metrics: Metrics) -> Outcome:
    try:
        return Outcome(_carry_out(app, entry, watch, metrics))
    except (Interrupted, Locked):
        raise
    except SyncError as error:
        # It goes into a table and onto a page, too.
        why = app.redactor(str(error))
        is_refused = isinstance(error, AccountRefused)
        refusal = Refusal(app.credentials(), why) if is_refused else None
        return Outcome(worst((error.exit_code, *error.also)), why, refusal)
    except Exception as error:  # noqa: BLE001 - the next job may fare better
        structlog.get_logger("job").exception("job.crashed", job=entry.name)
        return Outcome(SyncError.exit_code, f"this is a bug: {type(error).__name__}")


def _carry_out(app: App, entry: Entry, watch: Watch, metrics: Metrics) -> int:
    if entry.job == "check":
        return _check(app, entry, watch)
    if entry.job == "drill":
        return _rehearse(app, entry, watch)
    if entry.job == "prune":
        return _prune(app, watch)
    memoris = (entry.memori,) if entry.memori else ()
    with app.writing("a scheduled backup") as mirror, app.account() as account:
        wishes = app.wishes(memoris, entry.kinds, Reason.SCHEDULE)
        try:
            result = backup(account, mirror, app.store, app.kinds, app.means, wishes, watch)
        finally:
            metrics.repeated(account.repeats)
    metrics.run_done(result.snapshots)
    return result.exit_code


def _check(app: App, entry: Entry, watch: Watch) -> int:
    log = structlog.get_logger("job")
    with app.reading() as mirror:
        report = check(mirror, app.store, app.kinds, entry.read_data, watch)
    for each in report.damage[:_SHOWN]:
        log.error("damage.found", what=each.what, where=each.where, why=each.problem)
    return DamageFound.exit_code if report.damage else 0


def _prune(app: App, watch: Watch) -> int:
    with app.mending("a scheduled prune") as mirror:
        done = prune(mirror, app.store, app.config.prune.policy, watch, app.zone)
    numbers = {"changes": done.changes, "files": done.files, "bytes": done.bytes}
    log = structlog.get_logger("job")
    log.info("prune.done", kept=len(done.kept), forgotten=len(done.forgotten), **numbers)
    return 0


def _rehearse(app: App, entry: Entry, watch: Watch) -> int:
    """Rehearse the restore of an agent, or of all that are backed up, one after another."""
    log = structlog.get_logger("job")
    exit_codes: list[int] = []
    for name in [entry.memori] if entry.memori else _memoris(app):
        try:
            snapshot = _latest(app, name)
            drilled = drill(app, snapshot, snapshot.source.remote_id, Selection(), watch)
        except AccountRefused:
            raise
        except (RemoteError, UsageError, Locked) as error:
            if isinstance(error, Locked) and not exit_codes:
                # Nothing is lost by beginning later.
                raise
            log.error("drill.failed", memori=name, why=str(error))  # noqa: TRY400 - told in full
            exit_codes.append(error.exit_code)
        else:
            both = [each for each in (drilled.now, drilled.all_lost) if each]
            is_verified = all(each.result.verified for each in both)
            log.info("drill.done", memori=name, verified=is_verified)
            exit_codes.append(drilled.exit_code)
    return worst(exit_codes)


def _memoris(app: App) -> list[str]:
    with app.reading() as mirror:
        return app.memoris or [
            each.remote_id
            for each in mirror.sources()
            if each.scope is Scope.MEMORI and each.gone_at is None
        ]


def _latest(app: App, name: str) -> Snapshot:
    with app.reading() as mirror:
        return choose_snapshot(mirror, name)
