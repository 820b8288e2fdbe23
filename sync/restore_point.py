"""Which snapshot is gone back to, and how old each kind is that is taken from there."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync.errors import UsageError
from sync.kind import Kind, Scope
from sync.mirror.mirror import Mirror
from sync.mirror.values import Snapshot, Source, Status
from sync.when import local
from sync.wording import quoted

_SOME = 5
"""How many snapshots a hint names."""


def choose_snapshot(
    mirror: Mirror,
    memori: str | None,
    snapshot_id: int | None = None,
    at: datetime | None = None,
) -> Snapshot:
    """The snapshot to go back to: of one Memori, by default the latest that is of any use.

    Raises:
        UsageError: which one is not clear, or there is none.
    """
    known = [each for each in mirror.sources() if each.scope is Scope.MEMORI]
    names = quoted(each.name for each in known)
    sources = [each for each in known if memori in (None, each.name, each.remote_id)]
    if snapshot_id is not None and at is not None:
        raise UsageError("give either --snapshot or --at")
    if not sources:
        raise UsageError(
            f"the mirror holds no Memori {memori or ''}".rstrip(), f"it holds: {names}"
        )
    snapshots = mirror.snapshots()
    found = [each for each in snapshots if each.source in sources]
    if snapshot_id is not None:
        found = [each for each in found if each.id == snapshot_id]
        if not found:
            _refuse_account(snapshots, snapshot_id)
            of = f"{sources[0].name} has no" if memori else "there is no"
            raise UsageError(f"{of} snapshot {snapshot_id}", "see: aisuru-sync snapshots")
        mirror.past.check_kept(snapshot_id)
        return found[0]
    if len(sources) != 1:
        raise UsageError(f"say which Memori to restore: {names}", "add --memori")
    usable = [each for each in found if is_usable(each)]
    found = [each for each in usable if at is None or each.started_at <= at]
    if not found:
        first = (
            f"the first one is {usable[0].id}, of {local(usable[0].started_at)}" if usable else ""
        )
        raise UsageError(f"there is no snapshot of {sources[0].name!r} to go back to", first)
    return found[-1]


def _refuse_account(snapshots: Sequence[Snapshot], snapshot_id: int) -> None:
    """Raise `UsageError` if a snapshot is of the account, naming those of agents beside it."""
    chosen = [each for each in snapshots if each.id == snapshot_id]
    if not any(each.source.scope is Scope.ACCOUNT for each in chosen):
        return
    beside = [
        f"{each.id} of {each.source.name!r}"
        for each in snapshots
        if each.run_id == chosen[0].run_id and each.source.scope is Scope.MEMORI
    ]
    taken = local(chosen[0].started_at)
    raise UsageError(
        f"snapshot {snapshot_id} is of the account {chosen[0].source.name!r}, and of no agent",
        f"of the same run are: {', '.join(beside[:_SOME]) or 'none'}; or say --at '{taken}'",
    )


def is_usable(snapshot: Snapshot) -> bool:
    """Did a snapshot see any kind whole, is it kept, and was it no restore's?

    A file that cannot be had, or a kind that is held back, takes nothing from the others; how old
    each kind is tells `ages`. What a restore saw before and after itself is there to be named, not
    to be meant.
    """
    has_seen = any(each.status is Status.COMPLETE for each in snapshot.kinds.values())
    is_kept = snapshot.status not in (Status.RUNNING, Status.FORGOTTEN)
    return has_seen and is_kept and snapshot.is_backup


def forgotten_since(
    snapshots: Iterable[Snapshot], chosen: Snapshot, at: datetime
) -> list[Snapshot]:
    """The backups that a prune forgot, nearer to a time than the one that is taken for it. Pure.

    Args:
        snapshots: of any source, oldest first.
        chosen: the last one that is kept up to that time.
        at: the time that was asked for.
    """
    return [
        each
        for each in snapshots
        if each.source == chosen.source
        and each.status is Status.FORGOTTEN
        and each.is_backup
        and each.id > chosen.id
        and each.started_at <= at
    ]


@dataclass(frozen=True)
class Age:
    """Where a restore takes a kind from.

    Attributes:
        proven: the last snapshot up to the chosen one that listed the kind completely and is kept,
            or None.
        why: what the chosen snapshot lacks of it, or "".
    """

    proven: Snapshot | None
    why: str

    def taken_at(self, chosen_id: int | None) -> int | None:
        """The snapshot whose state is taken, where another one was chosen."""
        return self.proven.id if self.why and self.proven else chosen_id


def ages(
    snapshots: Sequence[Snapshot], chosen: Snapshot, kinds: Mapping[str, Kind]
) -> dict[str, Age]:
    """How old each kind is that a restore of a snapshot takes. Pure.

    Args:
        snapshots: all that the mirror has.
        chosen: of a Memori; its account's is the one of the same run.
        kinds: those that take part.
    """
    of_run = {each.source.scope: each for each in snapshots if each.run_id == chosen.run_id}
    of_run[chosen.source.scope] = chosen
    return {
        kind.name: _age(snapshots, of_run[kind.scope], kind.name)
        for kind in kinds.values()
        if kind.scope in of_run
    }


def _age(snapshots: Sequence[Snapshot], chosen: Snapshot, kind: str) -> Age:
    proven = [
        each
        for each in snapshots
        if each.source == chosen.source
        and each.id <= chosen.id
        and (each.id == chosen.id or each.is_backup)
        and each.status is not Status.FORGOTTEN
        and kind in each.kinds
        and each.kinds[kind].status is Status.COMPLETE
    ]
    last = proven[-1] if proven else None
    if last is not None and last.id == chosen.id:
        return Age(last, "")
    is_partial = kind in chosen.kinds and chosen.kinds[kind].status is Status.INCOMPLETE
    lack = "saw it only in part" if is_partial else "did not see it"
    return Age(last, f"snapshot {chosen.id} {lack}")


def taken_from(
    mirror: Mirror, kinds: Mapping[str, Kind], owner: Source, snapshot: Snapshot
) -> dict[str, tuple[Source, int | None]]:
    """{kind: whose state is taken, and as of which snapshot}, None for what is there now.

    Args:
        mirror: where it is kept.
        kinds: those that take part.
        owner: the account.
        snapshot: of a Memori, that is gone back to.
    """
    old = ages(mirror.snapshots(), snapshot, kinds)
    chosen = {
        Scope.MEMORI: (snapshot.source, snapshot.id),
        Scope.ACCOUNT: (owner, mirror.sibling(snapshot.id, owner)),
    }
    return {
        name: (source, old[name].taken_at(at) if name in old else at)
        for name, kind in kinds.items()
        for source, at in [chosen[kind.scope]]
    }
