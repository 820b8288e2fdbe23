"""Going on with a restore that was cut, under its old id: the same target, snapshot and selection.

What it had begun is settled by the listing taken before it began, as with any other restore; only
then does it go on, and what it begins from there is judged by the listing taken before that.
"""

from collections import Counter
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sync.errors import UsageError
from sync.kind import Ident
from sync.mirror.journal import Journal
from sync.mirror.mirror import Mirror
from sync.mirror.standing import PastRestore, open_restores, restores
from sync.mirror.values import BEGUN, DONE, FAILED, Snapshot, Status
from sync.order import DELETE
from sync.restore_point import choose_snapshot
from sync.selection import Selection


@dataclass(frozen=True)
class Resumption:
    """A restore to go on with.

    Attributes:
        past: as it was left.
        snapshot: what it goes back to.
        agreed: {kind: how many} deletions that are right from here on, besides what was said then.
        gone: {kind: how many} objects that it has deleted by now.
    """

    past: PastRestore
    snapshot: Snapshot
    agreed: Mapping[str, int]
    gone: Mapping[str, int] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Is there nothing to go on with?"""
        return self.past.status is Status.COMPLETE

    @property
    def selection(self) -> Selection:
        """What is asked for: what was then, or all, if that was not kept."""
        told = dict(self.past.selection or {})
        accepted = told.pop("accepted", {})
        asked: dict[str, Any] = {
            name: frozenset(v) if isinstance(v, list) else v for name, v in told.items()
        }
        left = {kind: number - self.gone.get(kind, 0) for kind, number in accepted.items()}
        return Selection(**asked, accepted={**left, **self.agreed})

    def settled(self, journal: Journal, live: Container[Ident]) -> "Resumption":
        """Learn what it has deleted, once it is known what is there."""
        begun = journal.begun_with(self.past.id, DELETE)
        return replace(self, gone=Counter(name for name, key in begun if (name, key) not in live))

    def note(self, journal: Journal, snapshot_id: int) -> None:
        """Note that it goes on, from a listing; of its deletions their number in all is kept."""
        asked = vars(self.selection)
        in_all = {kind: n + self.gone.get(kind, 0) for kind, n in asked["accepted"].items()}
        journal.resume(self.past.id, snapshot_id, {**asked, "accepted": in_all})


def find_restore(mirror: Mirror, restore_id: int, agreed: Mapping[str, int]) -> Resumption:
    """The restore with an id.

    Args:
        mirror: that knows it.
        restore_id: its id.
        agreed: {kind: how many} deletions that are right from here on.

    Raises:
        UsageError: there is none, or what it went into is no more.
    """
    every = restores(mirror)
    there = [each for each in open_restores(every) if each.target.gone_at is None]
    which = _which(there, "to go on with")
    past = _known(every, restore_id, which)
    if past.target.gone_at is not None:
        name = past.target.name
        raise UsageError(f"restore {restore_id} went into {name!r}, which is gone", which)
    return Resumption(past, choose_snapshot(mirror, None, past.snapshot_id), agreed)


@dataclass(frozen=True)
class GivenUp:
    """A restore that nobody goes on with any more.

    Attributes:
        done, failed: how many of its steps were carried out, and were not.
        begun: of how many steps it is not known; the next restore into its target settles them.
        with_it: ids of earlier ones that it had taken up, and that are given up as well.
    """

    past: PastRestore
    done: int
    failed: int
    begun: int
    with_it: tuple[int, ...]


def give_up(mirror: Mirror, restore_id: int) -> GivenUp:
    """Close a restore that came to no end. What it did stays, and what it began is settled later.

    Args:
        mirror: locked against other writers.
        restore_id: of the restore.

    Raises:
        UsageError: there is none, or it is complete.
    """
    every = restores(mirror)
    past = _known(every, restore_id, _which(open_restores(every), "to give up"))
    if past.status is Status.COMPLETE:
        raise UsageError(f"restore {restore_id} is complete: there is nothing to give up")
    journal = Journal(mirror, past.target)
    earlier = every[: every.index(past)]
    mine = [each for each in earlier if each.target == past.target and not each.is_closed]
    with_it = [each.id for each in mine if past.goes_for(each)]
    for each in (*with_it, restore_id):
        journal.finish(each, Status.GIVEN_UP)
    steps = Counter(journal.steps(restore_id))
    return GivenUp(past, steps[DONE], steps[FAILED], steps[BEGUN], tuple(with_it))


def _known(every: Sequence[PastRestore], restore_id: int, which: str) -> PastRestore:
    for each in every:
        if each.id == restore_id:
            return each
    raise UsageError(f"there is no restore {restore_id}", which)


def _which(left: Sequence[PastRestore], what_for: str) -> str:
    ids = ", ".join(map(str, sorted(each.id for each in left)))
    return f"restores {what_for}: {ids}" if ids else f"there is no restore {what_for}"
