"""Times and durations, as people write them."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import UsageError
from sync.when import beginning, duration, moment, spoken


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


def test_a_duration_is_spoken_in_its_two_largest_units():
    assert spoken(timedelta(days=2, hours=3, minutes=4)) == "2d 3h"
    assert spoken(timedelta(minutes=59, seconds=59)) == "59m"
    assert spoken(timedelta(days=1, minutes=5)) == "1d 5m"
    assert spoken(timedelta(seconds=-5)) == "0m"
