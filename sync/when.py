"""Times and durations, as people write them. Pure."""

import re
from datetime import UTC, datetime, timedelta

from sync.errors import UsageError

# After the date, a clock's time; one without seconds is meant to the end of its minute.
_CLOCK = re.compile(r"[T ]\d\d")
_MINUTE = re.compile(r"[T ]\d\d:?\d\d(Z|[+-]\d\d:?\d\d)?$")
_DURATION = re.compile(r"([0-9]{1,6})([mhdw])")
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def moment(text: str) -> datetime:
    """Read the time up to which something is meant: a day or a minute is meant to its end.

    Raises:
        UsageError: it is none.
    """
    return _read(text, timedelta(days=1))


def beginning(text: str) -> datetime:
    """Read the time from which on something is meant: a day is meant from its start.

    Raises:
        UsageError: it is none.
    """
    return _read(text, timedelta())


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


def _read(text: str, whole_day: timedelta) -> datetime:
    """Read a time; without an offset it is meant local."""
    try:
        read = datetime.fromisoformat(text.strip())
        if _MINUTE.search(text.strip()):
            read += min(whole_day, timedelta(minutes=1))
        elif not _CLOCK.search(text.strip()):
            read += whole_day
        return read.astimezone(UTC)
    except (ValueError, OverflowError):
        raise UsageError(
            f"{text!r} is not a time", "write 2026-11-24 or 2026-11-24T18:00"
        ) from None
