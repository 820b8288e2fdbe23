"""When jobs are due: the cases that schedulers get wrong, and what was missed."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.daemon import _Cron
from sync.schedule import Attempts, Entry, due_at, next_time, pause_after, problems_of, times

BERLIN = ZoneInfo("Europe/Berlin")


def local(cron: str, start: str, number: int) -> list[str]:
    """The next times of a cron expression, as clocks in Berlin show them."""
    after = datetime.fromisoformat(start).replace(tzinfo=BERLIN)
    found = islice(times(cron, BERLIN, after), number)
    return [f"{each.astimezone(BERLIN):%m-%d %H:%M%z}" for each in found]


def test_no_day_is_lost_after_clocks_go_forward():
    assert local("0 0 * * *", "2026-03-28T12:00", 3) == [
        "03-29 00:00+0100",
        "03-30 00:00+0200",
        "03-31 00:00+0200",
    ]


def test_a_time_that_clocks_skip_comes_right_after():
    assert local("30 2 * * *", "2026-03-28T12:00", 2) == ["03-29 03:00+0200", "03-30 02:30+0200"]


def test_a_time_that_clocks_show_twice_comes_once():
    assert local("30 2 * * *", "2026-10-24T12:00", 2) == ["10-25 02:30+0200", "10-26 02:30+0100"]


def test_each_quarter_of_an_hour_comes_through_both_hours_of_autumn():
    found = local("*/15 * * * *", "2026-10-25T01:50", 10)
    assert found[0] == "10-25 02:00+0200"
    assert "10-25 02:00+0100" in found
    assert len(set(found)) == 10


@pytest.mark.parametrize(
    ("day", "date"), [("1", "06-01"), ("7", "06-07"), ("0", "06-07"), ("fri", "06-05")]
)
def test_days_of_the_week_are_those_of_cron(day: str, date: str):
    # 2026-06-01 is a Monday.
    assert local(f"0 10 * * {day}", "2026-05-31T23:00", 1) == [f"{date} 10:00+0200"]


def test_a_day_of_the_month_or_of_the_week_will_do():
    found = local("0 0 15 * 1", "2026-06-01T12:00", 3)
    assert [each[:5] for each in found] == ["06-08", "06-15", "06-22"]


@pytest.mark.parametrize("cron", ["", "* * * *", "61 * * * *", "@daily", "0 0 31 2 *", "x y z a b"])
def test_what_is_no_cron_expression_is_refused(cron: str):
    assert "five fields" in " ".join(problems_of(Entry(cron)))


@pytest.mark.parametrize(
    ("entry", "part"),
    [
        (Entry("* * * * *", job="sleep"), "job 'sleep' is none of backup, check, drill, prune"),
        (Entry("* * * * *", kinds=("nope",)), "kinds nope are none of"),
        (Entry("* * * * *", job="check", memori="Guide"), "does not go with"),
        (
            Entry("* * * * *", job="prune", memori="Guide"),
            "memori does not go with the job 'prune'",
        ),
        (Entry("* * * * *", job="check", kinds=("person",)), "do not go with"),
        (Entry("* * * * *", job="check", read_data=101), "from 0 to 100"),
        (Entry("* * * * *", read_data=1), "does not go with"),
        (Entry("* * * * *", jitter_s=-1), "jitter_s"),
        (Entry("* * * * *", jitter_s=float("nan")), "jitter_s"),
    ],
)
def test_what_makes_no_sense_is_told(entry: Entry, part: str):
    assert part in " ".join(problems_of(entry))


NOW = datetime(2026, 6, 1, tzinfo=UTC)
NIGHTLY = Entry("0 3 * * *")


def test_what_was_never_done_is_due_at_once():
    assert due_at(NIGHTLY, None, UTC, NOW) == NOW


@pytest.mark.parametrize("exit_code", [0, 2, 4, 6, 10, 12])
def test_what_went_well_or_needs_a_human_waits_for_its_time(exit_code: int):
    attempts = Attempts(NOW, exit_code, failures=1)
    assert due_at(NIGHTLY, attempts, UTC, NOW) == NOW + timedelta(hours=3)


@pytest.mark.parametrize("exit_code", [None, 1, 5, 8, 130])
def test_what_failed_is_tried_again_after_growing_pauses(exit_code: int | None):
    minutes = []
    for failures in (1, 2, 3, 7, 9, 10_000):
        due = due_at(NIGHTLY, Attempts(NOW, exit_code, failures), UTC, NOW)
        minutes.append((due - NOW).total_seconds() / 60)
    # However long the pause would be, its time comes.
    assert minutes == [1, 2, 4, 64, 180, 180]
    assert pause_after(10_000) == timedelta(hours=6)


def test_what_stays_partial_is_not_hunted():
    due = [due_at(NIGHTLY, Attempts(NOW, 3, failures), UTC, NOW) - NOW for failures in (1, 3, 4)]
    assert due == [timedelta(minutes=1), timedelta(minutes=4), timedelta(hours=3)]
    drill = Entry("0 3 * * *", job="drill")
    assert due_at(drill, Attempts(NOW, 3, 1), UTC, NOW) - NOW == timedelta(hours=3)


def test_a_clock_that_was_ahead_holds_nothing_up():
    assert due_at(NIGHTLY, Attempts(NOW + timedelta(days=365), 0, 0), UTC, NOW) == NOW


def test_checks_of_different_shares_are_two_things():
    names = [Entry("0 3 * * *", job="check", read_data=share).name for share in (0, 5, 100)]
    assert names == ["check", "check 5%", "check 100%"]


MINUTES = st.integers(0, 60 * 24 * 400).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@given(
    started_at=MINUTES,
    now=MINUTES,
    cron=st.sampled_from(["0 3 * * *", "*/15 * * * *", "30 2 * * *", "0 0 * * 1"]),
)
def test_however_many_times_were_slept_through_it_is_due_once(
    started_at: datetime, now: datetime, cron: str
):
    entry = Entry(cron)
    started_at, now = sorted((started_at, now))
    is_missed = next_time(cron, BERLIN, started_at) <= now
    assert (due_at(entry, Attempts(started_at, 0, 0), BERLIN, now) <= now) is is_missed
    assert due_at(entry, Attempts(now, 0, 0), BERLIN, now) > now


def test_an_entry_keeps_its_name_when_only_its_time_changes():
    entry = Entry("0 3 * * *", kinds=("person", "memory"), memori="Guide")
    assert entry.name == Entry("0 4 * * *", kinds=("memory", "person"), memori="Guide").name
    assert entry.name == "backup memory,person of Guide"


def test_a_jitter_begins_a_job_later_within_it_and_skips_no_day():
    daily = _Cron(Entry("0 3 * * *", jitter_s=600), UTC)
    last = datetime(2026, 1, 1, 12, tzinfo=UTC)
    begun = []
    for _ in range(30):
        last = daily.get_next_fire_time(last, last)
        begun.append(last)
    regular = [datetime(2026, 1, 2, 3, tzinfo=UTC) + timedelta(days=each) for each in range(30)]
    later = [at - due for at, due in zip(begun, regular, strict=True)]
    assert all(timedelta() <= each <= timedelta(seconds=600) for each in later)
    assert len(set(later)) > 1
