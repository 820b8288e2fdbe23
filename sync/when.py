"""Times and durations, as people write them. Pure, where they are told what time it is.

A time is ISO 8601 (`2026-11-24`, `2026-11-24T18:00`), `now`, `today` or `yesterday`, alone or with
a clock's time (`yesterday 18:00`), or a duration ago (`2h`, `3d ago`). Without an offset it is
local. A day is the clock's, 23 or 25 hours long where the clock is put forward or back; a duration
is as long as it says.
"""

import re
from datetime import UTC, datetime, timedelta

from sync.errors import UsageError

# After the date, a clock's time; one without seconds is meant to the end of its minute.
_CLOCK = re.compile(r"[T ]\d\d")
_MINUTE = re.compile(r"[T ]\d\d:?\d\d(Z|[+-]\d\d:?\d\d)?$")
_DAY = re.compile(r"(today|yesterday)(?:\s+([0-9]{1,2})(:[0-9]{2}(?::[0-9]{2})?))?")
_AGO = re.compile(r"(\S+?)(\s+ago)?")
_DURATION = re.compile(r"([0-9]{1,6})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def local(at: datetime) -> str:
    """A time to the minute, as the clock here shows it."""
    return f"{at.astimezone():%Y-%m-%d %H:%M}"


def moment(text: str, now: datetime | None = None) -> datetime:
    """Read the time up to which something is meant: a day or a minute is meant to its end.

    Args:
        text: as people write it.
        now: what time it is, aware; else the clock is asked.

    Raises:
        UsageError: it is none.
    """
    return _read(text, now, is_end=True)


def beginning(text: str, now: datetime | None = None) -> datetime:
    """Read the time from which on something is meant: a day is meant from its start.

    Args:
        text: as people write it.
        now: what time it is, aware; else the clock is asked.

    Raises:
        UsageError: it is none.
    """
    return _read(text, now, is_end=False)


def duration(text: str) -> timedelta:
    """Read a duration: a number with its unit, such as 90m, 26h, 2d or 1w.

    Raises:
        UsageError: it is none, or nothing at all.
    """
    found = _DURATION.fullmatch(text.strip())
    if not found or not int(found[1]):
        raise UsageError(f"{text!r} is not a duration", "write 90m, 26h, 2d or 1w")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def spoken(length: timedelta) -> str:
    """A duration in its two largest units: `2d 3h`; what lies in the future is `0m`."""
    minutes = max(0, int(length.total_seconds() // 60))
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [f"{n}{unit}" for n, unit in ((days, "d"), (hours, "h"), (minutes, "m")) if n]
    return " ".join(parts[:2]) or "0m"


def _read(text: str, now: datetime | None, *, is_end: bool) -> datetime:
    """Read a time, or the end of what it is the start of."""
    said = text.strip().lower()
    now = now or datetime.now(UTC)
    try:
        if said == "now":
            return now.astimezone(UTC)
        ago = _AGO.fullmatch(said)
        if ago and _DURATION.fullmatch(ago[1]):
            return now.astimezone(UTC) - duration(ago[1])
        if found := _DAY.fullmatch(said):
            days = timedelta(days=1 if found[1] == "yesterday" else 0)
            date = (now.astimezone().replace(tzinfo=None) - days).date().isoformat()
            clock = f"T{found[2]:0>2}{found[3]}" if found[2] else ""
            return _read_iso(date + clock, is_end=is_end)
        return _read_iso(text.strip(), is_end=is_end)
    except (ValueError, OverflowError, UsageError):
        raise UsageError(
            f"{text!r} is not a time",
            "write 2026-11-24, 2026-11-24T18:00, yesterday 18:00, or 2h for two hours ago",
        ) from None


def _read_iso(text: str, *, is_end: bool) -> datetime:
    read = datetime.fromisoformat(text)
    if not _CLOCK.search(text):
        return _utc(read + timedelta(days=1 if is_end else 0))
    # What a clock that is put back shows twice is meant from the first time to the second.
    both = [_utc(read.replace(fold=fold)) for fold in (0, 1)]
    minute = timedelta(minutes=1 if _MINUTE.search(text) else 0)
    return max(both) + minute if is_end else min(both)


def _utc(read: datetime) -> datetime:
    # `astimezone` would take a midnight that the clock leaves out for an hour before it.
    return datetime.fromtimestamp(read.timestamp(), UTC)
