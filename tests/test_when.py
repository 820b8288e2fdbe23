"""Times and durations, as people write them."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import UsageError
from sync.when import beginning, duration, moment, spoken

ROME = ZoneInfo("Europe/Rome")


@pytest.fixture
def live_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Move this process to a time zone, and back."""

    def move(zone: str) -> None:
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    before = os.environ.get("TZ")
    yield move
    monkeypatch.undo()
    assert os.environ.get("TZ") == before
    time.tzset()


@pytest.fixture
def rome(live_in: Callable[[str], None]) -> None:
    """A place with daylight saving time: until 2026-10-25 03:00, which is then 02:00 again."""
    live_in("Europe/Rome")


def local(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=ROME, fold=fold).astimezone(UTC)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90m", timedelta(minutes=90)),
        ("26h", timedelta(hours=26)),
        (" 2d ", timedelta(days=2)),
        ("1w", timedelta(weeks=1)),
    ],
)
def test_a_duration_is_a_number_with_its_unit(text: str, length: timedelta):
    assert duration(text) == length


@pytest.mark.parametrize("text", ["", "26", "h", "-1h", "1.5h", "0h", "1y", "26 h", "9" * 20 + "h"])
def test_anything_else_is_no_duration(text: str):
    with pytest.raises(UsageError, match="not a duration"):
        duration(text)


@given(st.text())
def test_no_text_at_all_ends_as_a_bug(text: str):
    for read in (duration, moment, beginning):
        with suppress(UsageError):
            read(text)


def test_a_day_or_a_minute_is_meant_to_its_end_or_from_its_start():
    assert moment("2026-11-24") - beginning("2026-11-24") == timedelta(days=1)
    exact = datetime(2026, 11, 24, 17, tzinfo=UTC)
    assert beginning("2026-11-24T18:00+01:00") == exact
    assert moment("2026-11-24T18:00+01:00") == exact + timedelta(minutes=1)
    assert moment("2026-11-24T18:00:00+01:00") == exact
    assert moment("20261124") == moment("2026-11-24")


NOON = datetime(2026, 11, 26, 12, tzinfo=ROME)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("now", local(2026, 11, 26, 12), local(2026, 11, 26, 12)),
        ("today", local(2026, 11, 26), local(2026, 11, 27)),
        ("yesterday", local(2026, 11, 25), local(2026, 11, 26)),
        ("yesterday 18:00", local(2026, 11, 25, 18), local(2026, 11, 25, 18, 1)),
        (" Yesterday  18:00:30 ", local(2026, 11, 25, 18, 0, 30), local(2026, 11, 25, 18, 0, 30)),
        ("today 8:15", local(2026, 11, 26, 8, 15), local(2026, 11, 26, 8, 16)),
        ("2h", local(2026, 11, 26, 10), local(2026, 11, 26, 10)),
        ("2h ago", local(2026, 11, 26, 10), local(2026, 11, 26, 10)),
        ("90m  AGO", local(2026, 11, 26, 10, 30), local(2026, 11, 26, 10, 30)),
        ("3d", local(2026, 11, 23, 12), local(2026, 11, 23, 12)),
        ("1w ago", local(2026, 11, 19, 12), local(2026, 11, 19, 12)),
    ],
)
@pytest.mark.usefixtures("rome")
def test_a_time_may_be_said_as_people_say_it(text: str, start: datetime, end: datetime):
    for now in (NOON, NOON.astimezone(UTC)):
        assert beginning(text, now) == start
        assert moment(text, now) == end
    assert beginning(text, NOON).tzinfo is moment(text, NOON).tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    ["yesterday 25:00", "yesterday 8", "tomorrow", "monday", "ago", "2 h", "today ago", "now 8:15",
     "0h", "999999w", "yesterday 18:00 ago", "today 008:15", "yesterday18:00", "2h 3m", "-2h"],
)  # fmt: skip
def test_what_nobody_can_be_sure_of_is_no_time(text: str):
    for read in (moment, beginning):
        with pytest.raises(UsageError, match="is not a time") as caught:
            read(text, NOON)
        assert "yesterday 18:00" in caught.value.hint


@pytest.mark.usefixtures("rome")
def test_what_day_it_is_depends_on_where_one_is():
    """At 23:30 UTC it is tomorrow in Rome."""
    late = datetime(2026, 11, 25, 23, 30, tzinfo=UTC)
    assert beginning("today", late) == local(2026, 11, 26)
    assert beginning("yesterday 18:00", late) == local(2026, 11, 25, 18)


@pytest.mark.usefixtures("rome")
def test_days_are_those_of_the_clock_also_where_it_is_put_back_or_forward():
    for month, day, hours in ((10, 25, 25), (3, 29, 23)):
        now = datetime(2026, month, day, 12, tzinfo=ROME)
        assert moment("today", now) - beginning("today", now) == timedelta(hours=hours)
        after = now + timedelta(days=1)
        assert beginning("yesterday", after) == beginning("today", now)
        assert moment("yesterday", after) == moment("today", now)
        assert moment(f"{now:%Y-%m-%d}") - beginning(f"{now:%Y-%m-%d}") == timedelta(hours=hours)


@pytest.mark.usefixtures("rome")
def test_a_duration_ago_is_as_long_as_it_says_whatever_the_clock_does():
    now = datetime(2026, 10, 25, 12, tzinfo=ROME)
    assert beginning("1d", now) == local(2026, 10, 24, 13)
    assert moment("24h ago", now) == local(2026, 10, 24, 13)


@pytest.mark.usefixtures("rome")
def test_what_the_clock_shows_twice_is_meant_from_the_first_time_to_the_second():
    now = datetime(2026, 10, 26, 12, tzinfo=ROME)
    for text in ("2026-10-25T02:30", "yesterday 02:30"):
        assert beginning(text, now) == local(2026, 10, 25, 2, 30)
        assert moment(text, now) == local(2026, 10, 25, 2, 31, fold=1)
    assert moment("yesterday 01:59", now) == local(2026, 10, 25, 2, 0)
    assert moment("yesterday 02:59", now) == local(2026, 10, 25, 3, 0)
    assert moment("2026-10-25T02:30+02:00") == local(2026, 10, 25, 2, 31)


@pytest.mark.usefixtures("rome")
def test_what_the_clock_leaves_out_takes_in_all_around_it():
    now = datetime(2026, 3, 29, 12, tzinfo=ROME)
    assert beginning("today 02:30", now) == local(2026, 3, 29, 1, 30)
    assert moment("today 02:30", now) == local(2026, 3, 29, 3, 31)
    assert moment("today 01:59", now) == local(2026, 3, 29, 3, 0)


def test_a_day_that_has_no_midnight_begins_when_it_begins(live_in: Callable[[str], None]):
    """In São Paulo the clock was put forward at midnight: the day began at 01:00."""
    live_in("America/Sao_Paulo")
    first = datetime(2017, 10, 15, 3, tzinfo=UTC)
    assert beginning("2017-10-15") == moment("2017-10-14") == first
    assert beginning("today", first + timedelta(hours=5)) == first


def test_without_being_told_what_time_it_is_the_clock_is_asked():
    before = datetime.now(UTC)
    assert before <= moment("now") <= datetime.now(UTC)


def test_a_duration_is_spoken_in_its_two_largest_units():
    assert spoken(timedelta(days=2, hours=3, minutes=4)) == "2d 3h"
    assert spoken(timedelta(minutes=59, seconds=59)) == "59m"
    assert spoken(timedelta(days=1, minutes=5)) == "1d 5m"
    assert spoken(timedelta(seconds=-5)) == "0m"
