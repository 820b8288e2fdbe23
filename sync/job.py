"""What the service does at one time: a backup, a check, a prune, or a rehearsed restore."""

import structlog

from sync.app import App
from sync.backup import backup
from sync.check import check
from sync.drill import drill
from sync.errors import AccountRefused, DamageFound, RemoteError, UsageError, worst
from sync.kind import Scope
from sync.mirror.values import Reason, Snapshot
from sync.prune import prune
from sync.restore_point import choose_snapshot
from sync.schedule import Entry
from sync.selection import Selection
from sync.watch import Watch
from sync.web import Metrics

_SHOWN = 20
"""How much damage the log tells of; the command `check` tells all."""


def carry_out(app: App, entry: Entry, watch: Watch, metrics: Metrics) -> int:
    """Do what an entry says; returns the exit code that a command would end with.

    Args:
        app: the program.
        entry: of the schedule.
        watch: told of progress.
        metrics: told of what a backup saw.

    Raises:
        SyncError: as the commands do.
    """
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
    log, exit_codes = structlog.get_logger("job"), []
    for name in [entry.memori] if entry.memori else _memoris(app):
        try:
            snapshot = _latest(app, name)
            _, result = drill(app, snapshot, snapshot.source.remote_id, Selection(), watch)
        except AccountRefused:
            raise
        except (RemoteError, UsageError) as error:
            log.error("drill.failed", memori=name, why=str(error))  # noqa: TRY400 - told in full
            exit_codes.append(error.exit_code)
        else:
            log.info("drill.done", memori=name, verified=result.verified)
            exit_codes.append(result.exit_code)
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
