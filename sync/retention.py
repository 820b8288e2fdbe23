"""Which runs are kept, and why: the policy of `prune`. Pure.

A policy keeps the newest complete sight of each of the last so many hours, days, weeks, months and
years in which there is one. It is asked of every kind of every source by itself: a run that looked
at one agent, or at some kinds, never takes the place of one that saw all. A run is kept as a whole
as soon as anything of it is.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta, tzinfo

import msgspec

from sync.errors import UsageError
from sync.when import duration

LATEST, SINCE, RESTORE, RUNNING, WITHIN = "latest", "since", "restore", "running", "within"
BASE = "base"
"""Reasons to keep a run, besides the buckets of a policy.

`latest`: the last complete sight of a source or of a kind of it. `since`: not complete, but newer
than that. `restore`: a restore needs it. `running`: it is being made. `within`: young enough.
`base`: what a later run that is kept did not see whole is taken from it.
"""

_WHOLE = ""
"""Stands for all that a snapshot looked at, beside its kinds."""


@dataclass(frozen=True)
class Policy:
    """How much is kept.

    Attributes:
        last: how many complete sights, whenever they were.
        hourly, daily, weekly, monthly, yearly: of how many hours, days, ISO weeks, months and years
            the newest one; only those count in which there is one.
        within: how much older than the last complete sight anything may be, complete or not.
    """

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0
    within: timedelta | None = None

    @property
    def is_empty(self) -> bool:
        """Does it say nothing at all?"""
        return not any(getattr(self, each.name) for each in fields(self))


class Keeping(msgspec.Struct, frozen=True):
    """`[prune]`: a policy as the settings say it; without a word nothing is ever forgotten."""

    keep_last: int = 0
    keep_hourly: int = 0
    keep_daily: int = 0
    keep_weekly: int = 0
    keep_monthly: int = 0
    keep_yearly: int = 0
    keep_within: str = ""

    @property
    def says_anything(self) -> bool:
        """Is there any word of what is kept?"""
        return self != Keeping()

    @property
    def policy(self) -> Policy:
        """What is said.

        Raises:
            UsageError: `keep_within` is no duration.
        """
        numbers = {each: getattr(self, f"keep_{each}") for each in BUCKETS}
        return Policy(**numbers, within=duration(self.keep_within) if self.keep_within else None)


def keeping_problems(keeping: Keeping) -> Iterator[str]:
    """Everything that is wrong with `[prune]`."""
    for name in (f"keep_{each}" for each in BUCKETS):
        if getattr(keeping, name) < 0:
            yield f"{name} must be 0 or more"
    try:
        _ = keeping.policy
    except UsageError as error:
        yield f"keep_within ({error}; {error.hint})"


@dataclass(frozen=True)
class Sight:
    """A snapshot, as far as it matters whether it is kept.

    Attributes:
        id: of the snapshot; what came later has a higher one, whatever the clock said.
        run_id, source_id: of which run, and of what.
        counts: it is complete, and a backup's: no restore's.
        is_running: it is not at its end.
        kinds: that it looked at.
        whole: those of them that a backup saw whole.
        fresh: those of them that make a source fresh.
    """

    id: int
    run_id: int
    source_id: int
    started_at: datetime
    counts: bool = True
    is_running: bool = False
    kinds: frozenset[str] = frozenset()
    whole: frozenset[str] = frozenset()
    fresh: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Decision:
    """What becomes of runs.

    Attributes:
        kept: {id of a run: the reasons}, oldest first.
        forgotten: ids of the others.
    """

    kept: Mapping[int, tuple[str, ...]]
    forgotten: tuple[int, ...]


def decide(
    sights: Iterable[Sight],
    policy: Policy,
    now: datetime,
    zone: tzinfo | None = None,
    needed: Collection[int] = (),
) -> Decision:
    """Decide which runs are kept.

    Args:
        sights: all that were not forgotten before.
        policy: how much is kept.
        now: what time it is, aware: what a wrong clock dated ahead makes nothing else old.
        zone: whose hours and days count; None for the machine's.
        needed: ids of snapshots that restores need.
    """
    by_source: dict[int, list[Sight]] = {}
    reasons: dict[int, set[str]] = {}
    for each in sorted(sights, key=lambda sight: -sight.id):
        by_source.setdefault(each.source_id, []).append(each)
        mine = reasons.setdefault(each.run_id, set())
        mine |= {RESTORE} if each.id in needed else set()
        mine |= {RUNNING} if each.is_running else set()
    for of_source in by_source.values():
        for kind in {_WHOLE}.union(*(each.kinds for each in of_source)):
            for run_id, reason in _of_kind(of_source, kind, policy, now, zone):
                reasons[run_id].add(reason)
    kept = {run_id for run_id, why in reasons.items() if why}
    while bases := {each for of in by_source.values() for each in _bases(of, kept)} - kept:
        for run_id in bases:
            reasons[run_id].add(BASE)
        kept |= bases
    return Decision(
        {
            run: tuple(each for each in _ORDER if each in reasons[run])
            for run in sorted(reasons)
            if reasons[run]
        },
        tuple(run for run in sorted(reasons) if not reasons[run]),
    )


def _of_kind(
    sights: Sequence[Sight], kind: str, policy: Policy, now: datetime, zone: tzinfo | None
) -> Iterable[tuple[int, str]]:
    """(run, reason) for all that is kept of a kind of a source, whose newest sight comes first."""
    looked = [each for each in sights if kind in (_WHOLE, *each.kinds)]
    counting = [each for each in looked if each.counts and kind in (_WHOLE, *each.whole)]
    newest = counting[0] if counting else None
    latest = [newest, next((each for each in looked if kind in each.whole), None)]
    latest.append(max((each for each in looked if kind in each.fresh), key=_when, default=None))
    yield from ((each.run_id, LATEST) for each in latest if each)
    yield from ((each.run_id, SINCE) for each in looked if newest is None or each.id > newest.id)
    if newest and policy.within is not None:
        end = min(now, newest.started_at)
        yield from (
            (each.run_id, WITHIN) for each in looked if end - each.started_at <= policy.within
        )
    for name, bucket in BUCKETS.items():
        seen: set[Hashable] = set()
        for each in counting:
            if len(seen) == getattr(policy, name):
                break
            place = bucket(each, each.started_at.astimezone(zone))
            if place not in seen:
                seen.add(place)
                yield each.run_id, name


def _bases(sights: Sequence[Sight], kept: Collection[int]) -> Iterator[int]:
    """Runs that hold what those that are kept did not see whole, of a source, newest first.

    A restore takes such a kind as the last earlier backup saw it that saw it whole.
    """
    kinds = frozenset().union(*(each.kinds for each in sights))
    whole: dict[str, int] = {}
    for each in reversed(sights):
        if each.run_id in kept:
            yield from (whole[kind] for kind in kinds - each.whole if kind in whole)
        whole |= dict.fromkeys(each.whole, each.run_id)


def _when(sight: Sight) -> tuple[datetime, int]:
    return sight.started_at, sight.id


BUCKETS: Mapping[str, Callable[[Sight, datetime], Hashable]] = {
    "last": lambda sight, _: sight.id,
    # An hour that a clock shows twice is two.
    "hourly": lambda _, local: (local.date(), local.hour, local.utcoffset()),
    "daily": lambda _, local: local.date(),
    "weekly": lambda _, local: local.isocalendar()[:2],
    "monthly": lambda _, local: (local.year, local.month),
    "yearly": lambda _, local: local.year,
}
"""{rule of a policy: in which of its buckets a sight is, at a local time}."""
_ORDER = (LATEST, *BUCKETS, WITHIN, SINCE, RESTORE, RUNNING, BASE)
