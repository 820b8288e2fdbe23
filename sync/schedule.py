"""When jobs are due: cron as its users know it, catching up, and pauses after failures. Pure.

Cron is cronsim's: 1 is Monday and 7 Sunday, a day of the month or a day of the week will do, a time
that a clock skips in spring comes right after, and one that it shows twice in autumn comes once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

import msgspec
from cronsim import CronSim, CronSimError

from sync.errors import FOR_A_HUMAN
from sync.kinds import KINDS

JOBS = ("backup", "check", "drill", "prune")
"""What can be scheduled."""
LOCAL = ("check", "prune")
"""What of it is about all that there is, and asks no remote."""

_PARTIAL = 3
_PARTIAL_TRIES = 3
"""What is partial may come whole soon; what stays so, as a file that is refused, is not hunted."""
_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(hours=6)
_LONGEST_JITTER_S = 86_400
_WHOLE = 100


class Entry(msgspec.Struct, frozen=True):
    """One `[[schedule]]`: what is done when.

    Attributes:
        cron: five fields, in the time zone of the service.
        job: one of `JOBS`.
        kinds: of a backup; none means all.
        memori: name or id of an agent, or "" for all that are backed up.
        jitter_s: it begins up to so many seconds later, so that not all call at the same time.
        read_data: of a check, the percentage of the files to read to their end.
    """

    cron: str = ""
    job: str = "backup"
    kinds: tuple[str, ...] = ()
    memori: str = ""
    jitter_s: float = 0.0
    read_data: float = 0.0

    @property
    def name(self) -> str:
        """What is done, whenever: under this name the mirror remembers when it was."""
        share = f"{self.read_data:g}%" if self.read_data else ""
        what = " ".join(filter(None, (self.job, ",".join(sorted(self.kinds)), share)))
        return f"{what} of {self.memori}" if self.memori else what


@dataclass(frozen=True)
class Attempts:
    """What came of an entry so far.

    Attributes:
        started_at: when it was begun last.
        exit_code: of that; None if it never came to its end.
        failures: how often in a row it failed since it last went well.
    """

    started_at: datetime
    exit_code: int | None
    failures: int

    def is_to_repeat(self, job: str) -> bool:
        """Is the job worth another try before its time? Not if only a human can help."""
        if self.exit_code == _PARTIAL:
            return job == "backup" and self.failures <= _PARTIAL_TRIES
        return self.exit_code != 0 and self.exit_code not in FOR_A_HUMAN


def problems_of(entry: Entry) -> Iterator[str]:
    """Everything that is wrong with an entry."""
    try:
        next(CronSim(entry.cron, datetime(2000, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration):
        fields = "minute hour day month weekday"
        yield f"cron {entry.cron!r} is not five fields ({fields}), or never comes"
    if entry.job not in JOBS:
        yield f"job {entry.job!r} is none of {', '.join(JOBS)}"
    if unknown := set(entry.kinds) - KINDS.keys():
        yield f"kinds {', '.join(sorted(unknown))} are none of {', '.join(KINDS)}"
    if entry.kinds and entry.job != "backup":
        yield f"kinds do not go with the job {entry.job!r}"
    if entry.memori and entry.job in LOCAL:
        yield f"memori does not go with the job {entry.job!r}"
    if entry.read_data and entry.job != "check":
        yield f"read_data does not go with the job {entry.job!r}"
    if not 0 <= entry.read_data <= _WHOLE:
        yield "read_data must be from 0 to 100"
    if not 0 <= entry.jitter_s <= _LONGEST_JITTER_S:
        yield f"jitter_s must be from 0 to {_LONGEST_JITTER_S}"


def times(cron: str, zone: tzinfo, after: datetime) -> Iterator[datetime]:
    """The times after one at which a cron expression comes up, aware and in UTC."""
    for each in CronSim(cron, after.astimezone(zone)):
        yield each.astimezone(UTC)


def next_time(cron: str, zone: tzinfo, after: datetime) -> datetime:
    """The first of `times`."""
    return next(times(cron, zone, after))


def due_at(entry: Entry, attempts: Attempts | None, zone: tzinfo, now: datetime) -> datetime:
    """When an entry is due next; it may have been long ago, and what was never done is due now."""
    if attempts is None:
        return now
    if attempts.started_at > now:
        # The clock was ahead then: nobody shall wait until it is there again.
        return now
    regular = next_time(entry.cron, zone, attempts.started_at)
    if not attempts.is_to_repeat(entry.job):
        return regular
    return min(regular, attempts.started_at + pause_after(attempts.failures))


def pause_after(failures: int) -> timedelta:
    """How long to wait after so many failures in a row: longer each time, up to six hours."""
    doubled: int = 2 ** min(failures - 1, 10)
    return min(_FIRST_PAUSE * doubled, _LONGEST_PAUSE)
