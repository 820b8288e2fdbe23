"""What of a Memori shall come back, and whether there is such a thing."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sync.errors import UsageError
from sync.kind import Ident, Kind, Scope
from sync.mirror.mirror import Mirror
from sync.mirror.values import Snapshot, Source
from sync.wanted import Wanted, read_wanted


@dataclass(frozen=True)
class Selection:
    """What of a Memori shall come back, and what shall go.

    Attributes:
        kinds, keys: narrow it down; none means all.
        delete_extra: what is there but was not then is deleted; files only if their kind is named.
        accepted: {kind: how many} deletions that are right although they look like too many.
        recreate: what an update cannot bring back is deleted and created again.
    """

    kinds: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()
    delete_extra: bool = False
    accepted: Mapping[str, int] = field(default_factory=dict)
    recreate: bool = False

    def takes(self, kind: Kind) -> bool:
        """Is a kind meant, by itself or with its parent?"""
        family = {kind.name, kind.parent.kind if kind.parent else kind.name}
        return not self.kinds or bool(self.kinds & family)


def check_selection(
    mirror: Mirror,
    kinds: Mapping[str, Kind],
    snapshot: Snapshot,
    selection: Selection,
    *,
    is_copy: bool,
) -> None:
    """Refuse what the mirror alone knows not to be there.

    Args:
        mirror: where it is kept.
        kinds: the registry.
        snapshot: what they come back from.
        selection: what of it.
        is_copy: it goes into another Memori, where objects of the account have other keys.

    Raises:
        UsageError: there is no such thing to restore.
    """
    kinds = restorable(kinds)
    check_kinds(selection, kinds)
    for name in selection.kinds if selection.keys else ():
        if kinds[name].scope is Scope.ACCOUNT and is_copy:
            continue
        # What is a file of the Memori's depends on all that may refer to it.
        read = kinds if kinds[name].scope is Scope.ACCOUNT else {name: kinds[name]}
        wanted = read_wanted(mirror, read, owner_of(mirror), snapshot, snapshot.source)
        chosen_objects(selection, wanted, snapshot)


def owner_of(mirror: Mirror) -> Source:
    """The account of a mirror."""
    (owner,) = (each for each in mirror.sources() if each.scope is Scope.ACCOUNT)
    return owner


def check_kinds(selection: Selection, kinds: Mapping[str, Kind]) -> None:
    """Raise `UsageError` if there are no such kinds, or what is asked for makes no sense."""
    if selection.delete_extra and selection.keys:
        raise UsageError("--delete-extra goes with kinds, not with --key")
    if selection.accepted and not selection.delete_extra:
        raise UsageError("--accept-deletions goes with --delete-extra")
    unknown = (selection.kinds | selection.accepted.keys()) - kinds.keys()
    if unknown:
        names = ", ".join(kinds)
        raise UsageError(f"cannot restore {', '.join(sorted(unknown))}", f"kinds: {names}")
    if selection.keys and len(selection.kinds) != 1:
        raise UsageError("--key needs exactly one --kind")


def chosen_objects(selection: Selection, wanted: Wanted, snapshot: Snapshot) -> set[Ident] | None:
    """The objects that shall come back; None for all.

    Raises:
        UsageError: there are no such keys.
    """
    if not selection.kinds:
        return None
    there = {*wanted.objects, *wanted.damaged}
    chosen = {ident for ident in there if ident[0] in selection.kinds}
    if not selection.keys:
        return chosen
    missing = selection.keys - {key for _, key in chosen}
    if missing:
        raise UsageError(f"snapshot {snapshot.id} holds no {', '.join(sorted(missing))}")
    return {ident for ident in chosen if ident[1] in selection.keys}


def taking_part(kinds: Mapping[str, Kind]) -> dict[str, Kind]:
    """The kinds that a restore looks at: those of which a loss can be told, at least."""
    can_come_back = restorable(kinds)
    return {
        name: kind
        for name, kind in kinds.items()
        if name in can_come_back or (kind.scope is Scope.MEMORI and not kind.is_personal)
    }


def restorable(kinds: Mapping[str, Kind]) -> dict[str, Kind]:
    """The kinds of which anything can be brought back into a Memori."""
    return {
        name: kind
        for name, kind in kinds.items()
        if kind.create is not None or kind.update is not None
    }
