"""Which runs a policy keeps: buckets of the clock, and what is kept whatever it says."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.retention import BUCKETS, Decision, Keeping, Policy, Sight, decide, keeping_problems

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2027, 1, 1, tzinfo=UTC)
ALL = frozenset({"person", "memory"})


def sight(
    number: int, at: datetime | str, kinds: Iterable[str] = ALL, *, source: int = 1, run: int = 0
) -> Sight:
    """A complete snapshot of a backup; its run has its number unless another is given."""
    when = at if isinstance(at, datetime) else datetime.fromisoformat(at)
    seen = frozenset(kinds)
    started_at = when if when.tzinfo else when.replace(tzinfo=BERLIN)
    return Sight(number, run or number, source, started_at, kinds=seen, whole=seen, fresh=seen)


def partial(sight: Sight, whole: Iterable[str] = ()) -> Sight:
    """The same, incomplete, and not all of it seen whole."""
    seen = frozenset(whole)
    return replace(sight, counts=False, whole=seen, fresh=seen)


def kept(sights: Iterable[Sight], policy: Policy, now: datetime = NOW) -> dict[int, str]:
    """{run: reasons} of what is kept, as people in Berlin see it."""
    decision = decide(sights, policy, now, BERLIN)
    return {run: " ".join(why) for run, why in decision.kept.items()}


def test_the_newest_of_each_bucket_is_kept_and_only_filled_buckets_count():
    times = ["2026-11-01T03:00", "2026-11-01T21:00", "2026-11-05T03:00", "2026-11-05T04:00"]
    sights = [sight(n, at) for n, at in enumerate(times, start=1)]
    assert kept(sights, Policy(daily=2)) == {2: "daily", 4: "latest daily"}
    assert kept(sights, Policy(last=3)) == {2: "last", 3: "last", 4: "latest last"}
    assert kept(sights, Policy(hourly=2)) == {3: "hourly", 4: "latest hourly"}


@pytest.mark.parametrize(
    ("rule", "times", "runs"),
    [
        # The clock shows 02:30 twice: two hours, of one day.
        ("hourly", ["2026-10-25T00:30+00:00", "2026-10-25T01:30+00:00"], {1, 2}),
        ("daily", ["2026-10-25T00:30+00:00", "2026-10-25T01:30+00:00"], {2}),
        # Midnight is the clock's, not that of UTC, in summer as in winter.
        ("daily", ["2026-07-01T21:59+00:00", "2026-07-01T22:01+00:00"], {1, 2}),
        ("daily", ["2026-12-01T22:01+00:00", "2026-12-01T22:59+00:00"], {2}),
        # An ISO week goes on over the end of a year, and begins with a Monday.
        ("weekly", ["2026-12-31T12:00", "2027-01-03T12:00"], {2}),
        ("weekly", ["2026-11-22T23:00", "2026-11-23T01:00"], {1, 2}),
        ("monthly", ["2025-11-10T12:00", "2026-11-10T12:00"], {1, 2}),
        ("yearly", ["2026-12-31T23:30+00:00", "2027-01-01T12:00"], {2}),
    ],
)
def test_hours_days_weeks_months_and_years_are_those_of_the_clock(rule, times, runs):
    sights = [sight(n, at) for n, at in enumerate(times, start=1)]
    assert kept(sights, Policy(**{rule: 9})).keys() == runs


def test_a_run_that_saw_less_takes_no_place_of_one_that_saw_more():
    night, noon = sight(1, "2026-11-01T03:00"), sight(2, "2026-11-01T12:00", {"memory"})
    later = sight(3, "2026-11-02T03:00")
    assert kept([night, noon, later], Policy(daily=2)).keys() == {1, 2, 3}
    other = [replace(each, id=each.id + 9, source_id=2) for each in (night, later)]
    museum = sight(2, "2026-11-01T12:00")
    assert kept([night, museum, later, *other], Policy(daily=2)).keys() == {1, 2, 3}


def test_a_run_is_kept_whole_for_the_sake_of_one_source():
    mine = [sight(1, "2026-11-01T03:00"), sight(3, "2026-11-02T03:00")]
    gone = [sight(2, "2026-11-01T03:01", source=2, run=1)]
    assert kept([*mine, *gone], Policy(last=1)) == {1: "latest last", 3: "latest last"}


def test_what_is_not_complete_takes_no_place_and_stays_only_while_it_is_the_newest():
    sights = [
        sight(1, "2026-11-01T03:00"),
        partial(sight(2, "2026-11-01T12:00")),
        sight(3, "2026-11-02T03:00"),
        partial(sight(4, "2026-11-02T12:00")),
    ]
    assert kept(sights, Policy(daily=2)) == {1: "daily", 3: "latest daily", 4: "since"}
    assert kept(sights[:2], Policy(last=1)).keys() == {1, 2}
    assert 2 in kept(sights, Policy(within=timedelta(days=1)))


def test_the_last_complete_sight_of_every_kind_is_never_forgotten():
    sights = [
        sight(1, "2026-11-01T03:00"),
        partial(sight(2, "2026-11-02T03:00"), whole={"person"}),
        sight(3, "2026-11-03T03:00", {"memory"}),
        sight(4, "2026-11-04T03:00", {"memory"}),
    ]
    # 1 is the last complete one that looked at people, 2 the last that saw them whole.
    assert kept(sights, Policy(last=1)).keys() == {1, 2, 4}


def test_a_source_that_was_never_complete_is_kept_altogether():
    sights = [partial(sight(n, f"2026-11-0{n}T03:00")) for n in range(1, 5)]
    assert kept(sights, Policy(last=1)).keys() == {1, 2, 3, 4}


def test_age_counts_from_the_last_complete_snapshot_so_that_an_outage_makes_nothing_old():
    sights = [sight(n, f"2026-0{n}-01T03:00") for n in range(1, 5)]
    young = Policy(within=timedelta(days=31))
    assert kept(sights, young).keys() == {3, 4}
    # A clock that was ahead once does not make all else old.
    assert kept([*sights, sight(5, "2040-01-01T03:00")], young, sights[-1].started_at).keys() == {
        3,
        4,
        5,
    }
    assert kept(sights, Policy(within=timedelta(weeks=999_999))).keys() == {1, 2, 3, 4}


def test_what_restores_need_and_what_runs_is_kept():
    sights = [sight(n, f"2026-11-0{n}T03:00") for n in range(1, 5)]
    sights[1] = replace(sights[1], is_running=True)
    decision = decide(sights, Policy(last=1), NOW, BERLIN, needed={1})
    assert decision.kept == {1: ("restore",), 2: ("running",), 4: ("latest", "last")}
    assert decision.forgotten == (3,)


def test_what_a_kept_run_did_not_see_whole_is_kept_where_it_was_seen_whole():
    whole = sight(1, "2026-11-01")
    held = partial(sight(2, "2026-11-02"), {"memory"})
    sights = [whole, sight(9, "2026-11-01T01:00", {"memory"}), held, sight(20, "2026-11-09")]
    ids = [replace(each, id=n, run_id=n) for n, each in enumerate(sights, start=1)]
    policy = Policy(within=timedelta(days=7))
    assert kept(ids, policy) == {1: "base", 3: "within", 4: "latest within"}


def test_a_base_that_lacks_something_itself_has_a_base():
    days = [f"2026-11-0{day}" for day in (1, 2, 3, 4)]
    sights = [
        sight(2 * run + source, day, source=source, run=run)
        for run, day in enumerate(days, start=1)
        for source in (1, 2)
    ]
    sights[3], sights[4] = partial(sights[3]), partial(sights[4])
    found = decide(sights, Policy(), NOW, BERLIN, needed={sights[5].id}).kept
    assert found == {1: ("base",), 2: ("base",), 3: ("restore",), 4: ("latest",)}


def test_a_policy_of_the_settings_tells_everything_that_is_wrong_with_it():
    wrong = Keeping(keep_last=-1, keep_yearly=-2, keep_within="soon")
    told = "\n".join(keeping_problems(wrong))
    assert "keep_last" in told
    assert "keep_yearly" in told
    assert "keep_within ('soon' is not a duration" in told
    assert not list(keeping_problems(Keeping(keep_daily=3, keep_within="2w")))
    assert Keeping(keep_daily=3, keep_within="2w").policy == Policy(
        daily=3, within=timedelta(weeks=2)
    )
    assert not Keeping().says_anything
    assert Keeping().policy.is_empty


# -- laws

START = datetime(2026, 10, 20, tzinfo=UTC)
KINDS = st.frozensets(st.sampled_from(["person", "memory"]))
POLICIES = st.builds(
    Policy,
    **{rule: st.integers(0, 4) for rule in BUCKETS},
    within=st.none() | st.timedeltas(timedelta(0), timedelta(days=30)),
)


@st.composite
def histories(draw: st.DrawFn) -> list[Sight]:
    """Runs of one or two sources, whole and partial, with a clock that may be set back."""
    found: list[Sight] = []
    at = START
    for run in range(1, draw(st.integers(1, 12)) + 1):
        at += timedelta(hours=draw(st.integers(-30, 24 * 12)))
        for source in draw(st.sets(st.integers(1, 2), min_size=1)):
            kinds = draw(KINDS)
            whole = draw(st.sampled_from([kinds, kinds, frozenset()]))
            found.append(
                Sight(
                    id=len(found) + 1,
                    run_id=run,
                    source_id=source,
                    started_at=at,
                    counts=draw(st.booleans()) and whole == kinds,
                    kinds=kinds,
                    whole=whole,
                    fresh=draw(st.sampled_from([whole, frozenset()])),
                )
            )
    return found


def judged(history: list[Sight], policy: Policy) -> Decision:
    return decide(history, policy, NOW, BERLIN)


@given(histories(), POLICIES)
def test_every_run_is_either_kept_for_a_reason_or_forgotten(history, policy):
    decision = judged(history, policy)
    assert all(decision.kept.values())
    assert sorted([*decision.kept, *decision.forgotten]) == sorted({s.run_id for s in history})


@given(histories(), POLICIES, POLICIES)
def test_more_keeps_never_forget_more(history, policy, other):
    more = Policy(
        **{rule: max(getattr(policy, rule), getattr(other, rule)) for rule in BUCKETS},
        within=max(
            (each for each in (policy.within, other.within) if each is not None), default=None
        ),
    )
    assert judged(history, policy).kept.keys() <= judged(history, more).kept.keys()


@given(histories(), POLICIES)
def test_to_prune_what_was_pruned_forgets_nothing_more(history, policy):
    first = judged(history, policy)
    left = [each for each in history if each.run_id in first.kept]
    again = judged(left, policy)
    assert again.kept == first.kept
    assert again.forgotten == ()


@given(histories(), POLICIES)
def test_the_newest_and_what_makes_a_source_fresh_stay_whatever_a_policy_says(history, policy):
    stay = judged(history, policy).kept
    for source in {each.source_id for each in history}:
        mine = [each for each in history if each.source_id == source]
        assert mine[-1].run_id in stay
        complete = [each for each in mine if each.counts]
        assert not complete or complete[-1].run_id in stay
        for kind in ("person", "memory"):
            for trait in ("whole", "fresh"):
                seen = [each for each in mine if kind in getattr(each, trait)]
                last = seen[-1:] if trait == "whole" else sorted(seen, key=_when)[-1:]
                assert all(each.run_id in stay for each in last)


def _when(sight: Sight) -> tuple[datetime, int]:
    return sight.started_at, sight.id


@given(histories(), POLICIES)
def test_what_a_restore_of_a_kept_snapshot_takes_is_kept(history, policy):
    decision = judged(history, policy)
    for each in (one for one in history if one.run_id in decision.kept):
        older = [one for one in history if one.source_id == each.source_id and one.id < each.id]
        for kind in frozenset().union(*(one.kinds for one in history)) - each.whole:
            whole = [one for one in older if kind in one.whole]
            assert not whole or whole[-1].run_id in decision.kept


@given(histories(), st.integers(1, 4), st.sampled_from(sorted(BUCKETS)))
def test_no_bucket_that_is_kept_has_a_newer_complete_run_that_is_forgotten(history, number, rule):
    decision = judged(history, Policy(**{rule: number}))
    for source in {each.source_id for each in history}:
        mine = [each for each in history if each.source_id == source and each.counts]
        newest: dict[object, int] = {}
        for each in mine:
            newest[BUCKETS[rule](each, each.started_at.astimezone(BERLIN))] = each.id
        last = sorted(newest.values())[-number:]
        runs = {each.run_id for each in mine if each.id in last}
        assert runs <= decision.kept.keys()
