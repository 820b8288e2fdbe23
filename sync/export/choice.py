"""What an export holds: which agents, each as of which snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync.errors import StorageError, UsageError
from sync.kind import Kind, Scope
from sync.mirror.mirror import Mirror
from sync.mirror.values import Snapshot, Source, Status
from sync.wanted import Age, ages, choose_snapshot, is_usable

_HALF = (Status.RUNNING, Status.FORGOTTEN)


@dataclass(frozen=True)
class View:
    """A source at a moment.

    Attributes:
        snapshot_id: None for what is there now.
    """

    source: Source
    snapshot_id: int | None


@dataclass(frozen=True)
class Part:
    """An agent, or the account, as of a snapshot.

    Attributes:
        account: as of the same run; for the account it is the view itself.
        ages: where each of its kinds is taken from.
    """

    snapshot: Snapshot
    account: View
    ages: Mapping[str, Age]

    @property
    def view(self) -> View:
        """The source at the snapshot."""
        return View(self.snapshot.source, self.snapshot.id)

    @property
    def is_whole(self) -> bool:
        """Was each of its kinds seen whole at some time up to the snapshot?"""
        return all(age.proven for age in self.ages.values())


@dataclass(frozen=True)
class Choice:
    """What an export holds.

    Attributes:
        account: None where one agent was asked for.
        left_out: names of agents of which nothing was backed up by then.
    """

    agents: Sequence[Part]
    account: Part | None
    left_out: Sequence[str]


def choose(
    mirror: Mirror,
    kinds: Mapping[str, Kind],
    memori: str | None,
    snapshot_id: int | None,
    at: datetime | None,
) -> Choice:
    """Choose the latest usable snapshot of each agent, or what was asked for.

    Raises:
        UsageError: there is no such agent or snapshot, or nothing was backed up by then.
    """
    snapshots = mirror.snapshots()
    sources = mirror.sources()
    owner = next((each for each in sources if each.scope is Scope.ACCOUNT), None)
    if owner is None:
        raise UsageError("there is nothing in this mirror yet", "run `aisuru-sync backup` first")
    if snapshot_id is not None:
        chosen = [choose_snapshot(mirror, memori, snapshot_id, at)]
        if chosen[0].status in _HALF:
            raise UsageError(f"snapshot {snapshot_id} is {chosen[0].status}: say another one")
        meant = [chosen[0].source]
    else:
        meant = [each for each in mirror.sources(memori) if each.scope is Scope.MEMORI]
        found = (latest(snapshots, each, at) for each in meant)
        chosen = [each for each in found if each is not None]
    account = None
    if memori is None and snapshot_id is None:
        account = latest(snapshots, owner, at)
    if not chosen and account is None:
        raise UsageError("nothing was backed up by then" if at else "nothing was backed up yet")

    def part(snapshot: Snapshot) -> Part:
        at = snapshot.id if snapshot.source == owner else mirror.sibling(snapshot.id, owner)
        mine = {
            name: each
            for name, each in kinds.items()
            if each.scope is snapshot.source.scope or (snapshot.source != owner and is_owned(each))
        }
        # What nobody asked for is not lacking.
        for name in [name for name, each in mine.items() if each.is_personal]:
            if not any(name in each.kinds for each in snapshots if each.source == snapshot.source):
                del mine[name]
        return Part(snapshot, View(owner, at), ages(snapshots, snapshot, mine))

    there = {each.source.id for each in chosen}
    return Choice(
        agents=[part(each) for each in chosen],
        account=part(account) if account else None,
        left_out=[each.name for each in meant if each.id not in there],
    )


def latest(snapshots: Sequence[Snapshot], source: Source, at: datetime | None) -> Snapshot | None:
    """The latest snapshot of a source that is of any use, else the latest at all. Pure.

    Args:
        snapshots: of any source, oldest first.
        source: of which.
        at: only those that were begun by then.
    """
    mine = [
        each
        for each in snapshots
        if each.source == source
        and each.status not in _HALF
        and (at is None or each.started_at <= at)
    ]
    # What only a restore has ever listed is better than nothing.
    found = [each for each in mine if is_usable(each)] or mine
    return found[-1] if found else None


def is_owned(kind: Kind) -> bool:
    """Do objects of the account say which agent they belong to?"""
    return "memoriID" in kind.declared


def check_still_there(mirror: Mirror, choice: Choice) -> None:
    """Raise `StorageError` if somebody had a snapshot forgotten while it was read."""
    parts = [*choice.agents, *([choice.account] if choice.account else [])]
    kept = {each.id for each in mirror.snapshots() if each.status is not Status.FORGOTTEN}
    for part in parts:
        for each in (part.snapshot.id, part.account.snapshot_id):
            if each is not None and each not in kept:
                raise StorageError(
                    f"snapshot {each} was forgotten while it was read", "export again"
                )
