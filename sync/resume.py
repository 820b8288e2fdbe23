"""Going on with a restore that was cut, under its old id: the same target, snapshot and selection.

What it had begun is settled by the listing taken before it began, as with any other restore; only
then does it go on, and what it begins from there is judged by the listing taken before that.
"""

from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sync.errors import UsageError
from sync.kind import Ident
from sync.mirror.journal import Journal
from sync.mirror.mirror import Mirror
from sync.mirror.standing import PastRestore, restores
from sync.mirror.values import Snapshot, Status
from sync.order import DELETE
from sync.selection import Selection
from sync.wanted import choose_snapshot


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
    all_of_them = {each.id: each for each in restores(mirror)}
    known = {key: each for key, each in all_of_them.items() if each.target.gone_at is None}
    if restore_id not in all_of_them:
        raise UsageError(f"there is no restore {restore_id}", _which(known))
    if restore_id not in known:
        name = all_of_them[restore_id].target.name
        raise UsageError(f"restore {restore_id} went into {name!r}, which is gone", _which(known))
    past = known[restore_id]
    return Resumption(past, choose_snapshot(mirror, None, past.snapshot_id), agreed)


def _which(known: Mapping[int, PastRestore]) -> str:
    left = sorted(key for key, each in known.items() if each.status is not Status.COMPLETE)
    if left:
        return f"restores to go on with: {', '.join(map(str, left))}"
    return "there is no restore to go on with"
