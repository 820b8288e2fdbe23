"""What an export holds: which agents, each as of which snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sync.errors import StorageError, UsageError
from sync.kind import Kind, Scope
from sync.mirror.mirror import Mirror
from sync.mirror.values import Snapshot, Source, Status
from sync.refs import is_settings
from sync.restore_point import Age, ages, choose_snapshot, is_usable

_HALF = (Status.RUNNING, Status.FORGOTTEN)


@dataclass(frozen=True)
class View:
    """A source at a moment.

    Attributes:
        snapshot_id: None for what is there now.
        older: {kind: the snapshot that it is taken from instead}.
    """

    source: Source
    snapshot_id: int | None
    older: Mapping[str, int | None] = field(default_factory=dict)

    def at(self, kind: Kind) -> int | None:
        """The snapshot that a kind is taken from; None for what is there now."""
        return self.older.get(kind.name, self.snapshot_id)


@dataclass(frozen=True)
class Chosen:
    """An agent, or the account, as of a snapshot.

    Attributes:
        view: the source at the snapshot.
        account: as of the same run; for the account it is the view itself.
        ages: where each of its kinds is taken from.
    """

    snapshot: Snapshot
    view: View
    account: View
    ages: Mapping[str, Age]

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
        never: {id: name} of the account's agents of which nothing ever was.
    """

    agents: Sequence[Chosen]
    account: Chosen | None
    left_out: Sequence[str]
    never: Mapping[str, str]


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
    owner = next((each for each in mirror.sources() if each.scope is Scope.ACCOUNT), None)
    if owner is None:
        raise UsageError("there is nothing in this mirror yet", "run `aisuru-sync backup` first")
    if snapshot_id is not None:
        usable = [choose_snapshot(mirror, memori, snapshot_id, at)]
        if usable[0].status in _HALF:
            raise UsageError(f"snapshot {snapshot_id} is {usable[0].status}: say another one")
        meant = [usable[0].source]
    else:
        meant = [each for each in mirror.sources(memori) if each.scope is Scope.MEMORI]
        if memori is not None and not meant:
            raise UsageError(
                f"{memori!r} is the account, and no agent",
                "without --memori it is exported with all its agents",
            )
        found = (latest(snapshots, each, at) for each in meant)
        usable = [each for each in found if each is not None]
    account = None
    if memori is None and snapshot_id is None:
        account = latest(snapshots, owner, at)
    if not usable and account is None:
        raise UsageError("nothing was backed up by then" if at else "nothing was backed up yet")

    there = {each.source.id for each in usable}
    of_account = _chosen(mirror, kinds, snapshots, owner, account) if account else None
    owned = _owned(mirror, kinds, of_account.view) if of_account else {}
    known = {each.remote_id for each in mirror.sources()}
    return Choice(
        agents=[_chosen(mirror, kinds, snapshots, owner, each) for each in usable],
        account=of_account,
        left_out=[
            each.name
            for each in meant
            # One that the account did not show by then was not there yet.
            if each.id not in there and (of_account is None or each.remote_id in owned)
        ],
        never={key: name for key, name in owned.items() if key not in known},
    )


def _chosen(
    mirror: Mirror,
    kinds: Mapping[str, Kind],
    snapshots: Sequence[Snapshot],
    owner: Source,
    snapshot: Snapshot,
) -> Chosen:
    """A source as a restore of the snapshot would go back to it."""
    source = snapshot.source
    mine = {
        name: each
        for name, each in kinds.items()
        if each.scope is source.scope or (source != owner and is_owned(each))
    }
    # What nobody asked for is not lacking.
    for name in [name for name, each in mine.items() if each.is_personal]:
        if not any(name in each.kinds for each in snapshots if each.source == source):
            del mine[name]
    old = ages(snapshots, snapshot, mine)

    def view(of: Source, at: int | None) -> View:
        older = {
            name: age.taken_at(at)
            for name, age in old.items()
            if kinds[name].scope is of.scope and age.taken_at(at) != at
        }
        return View(of, at, older)

    account = view(owner, snapshot.id if source == owner else mirror.sibling(snapshot.id, owner))
    return Chosen(snapshot, view(source, snapshot.id), account, old)


def _owned(mirror: Mirror, kinds: Mapping[str, Kind], account: View) -> dict[str, str]:
    """{id: name} of the agents that the account shows."""
    return {
        key: kind.name_of(document or {}) or key
        for kind in kinds.values()
        if is_settings(kind)
        for key, document in mirror.past.proven_state(account.source, kind, account.at(kind))
    }


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
    sources = [*choice.agents, *([choice.account] if choice.account else [])]
    kept = {each.id for each in mirror.snapshots() if each.status is not Status.FORGOTTEN}
    for view in (view for each in sources for view in (each.view, each.account)):
        for each in (view.snapshot_id, *view.older.values()):
            if each is not None and each not in kept:
                raise StorageError(
                    f"snapshot {each} was forgotten while it was read", "export again"
                )
