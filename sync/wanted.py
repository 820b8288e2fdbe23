"""What a restore goes back to: a snapshot, the objects it saw, and the files they need."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

from sync.document import Document
from sync.errors import UsageError
from sync.kind import Ident, Kind, Scope
from sync.link import FileRef
from sync.mirror.mirror import Mirror
from sync.mirror.values import Snapshot, Source, Status
from sync.refs import Objects, by_file, files_of, is_file, mentioned_files
from sync.when import local
from sync.wording import quoted

_LONGEST_NAME = 100
_SOME = 5
"""How many snapshots a hint names."""


@dataclass(frozen=True)
class Wanted:
    """What was there.

    Attributes:
        objects: of the Memori, with the files of the account that belong to it.
        foreign: files of others among them, which its documents refer to.
        unlisted: those of them that no list of the account shows: a co-author's uploads.
        files: {key of a file: its document} of those whose bytes were stored.
        copied: files of the account that stay where they are, and are made once more.
        damaged: what was there, but is not stored any more as it was seen; it is left alone.
    """

    objects: Objects
    foreign: frozenset[Ident]
    unlisted: frozenset[Ident]
    files: Mapping[str, Document]
    copied: frozenset[Ident]
    damaged: frozenset[Ident]


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
            of = ", ".join(each.name for each in sources)
            raise UsageError(f"{of} has no snapshot {snapshot_id}", "see: aisuru-sync snapshots")
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


def read_wanted(
    mirror: Mirror,
    kinds: Mapping[str, Kind],
    owner: Source,
    snapshot: Snapshot,
    target: Source,
    named: Collection[str] = (),
) -> Wanted:
    """Read the state of a Memori at a snapshot, and of its account in the same run.

    For another Memori, what belongs to the first one belongs to the other; its settings come along
    only if they are named, and never its name.

    Args:
        mirror: where it is kept.
        kinds: those that take part.
        owner: the account.
        snapshot: of the Memori.
        target: the Memori that it is read for.
        named: kinds that were asked for by name.
    """
    origin = snapshot.source
    is_copy = target.remote_id != origin.remote_id
    taken = taken_from(mirror, kinds, owner, snapshot)
    objects: dict[Ident, Document] = {}
    others: dict[Ident, Document] = {}
    damaged: set[Ident] = set()
    for kind in kinds.values():
        is_own = kind.scope is Scope.MEMORI
        source, at = taken[kind.name]
        for key, document in mirror.past.proven_state(source, kind, at):
            if document is None:
                damaged.add((kind.name, key))
            elif is_own:
                objects[kind.name, key] = document
            elif document.get("memoriID") == origin.remote_id:
                if not is_copy:
                    objects[kind.name, key] = document
                elif kind.create is not None or kind.name in named:
                    moved = _as_of(kind, document, target)
                    objects[kind.name, kind.key_of(moved)] = moved
            else:
                others[kind.name, key] = document
    mentioned = _mentioned(objects, kinds)
    known = {**objects, **others, **{ident: {} for ident in damaged}}
    foreign = _foreign_files(mentioned, others, kinds, target)
    unlisted = _unlisted_files(mentioned, known, kinds, target)
    for kind in (each for each in kinds.values() if is_file(each)):
        # What the account had itself and had lost by then is nobody else's, and was gone.
        keys = [key for name, key in unlisted if name == kind.name]
        for key in mirror.past.gone(owner, kind, keys, taken[kind.name][1]):
            del unlisted[kind.name, key]
    everything = {**objects, **foreign, **unlisted}
    files = _stored_files(mirror, kinds, everything)
    copied = frozenset(each for each in objects if kinds[each[0]].scope is Scope.ACCOUNT)
    theirs = frozenset({*foreign, *unlisted})
    return Wanted(everything, theirs, frozenset(unlisted), files, copied, frozenset(damaged))


def _as_of(kind: Kind, document: Document, target: Source) -> Document:
    """An object of the account as it is if it belongs to another Memori, or is that Memori."""
    name = {"name": target.name} if kind.key == "memoriID" else {}
    return {**document, "memoriID": target.remote_id, **name}


def _mentioned(objects: Objects, kinds: Mapping[str, Kind]) -> dict[FileRef, str]:
    """{file of the Backend's that documents refer to: name of an object that does}.

    What shows a file names it better than what mentions it.
    """
    found: dict[str, tuple[FileRef, str]] = {}
    for (name, _), document in objects.items():
        kind = kinds[name]
        for ref in mentioned_files(kind, document):
            if ref.is_on_backend and (kind.files or ref.key not in found):
                found[ref.key] = (ref, kind.name_of(document))
    return dict(found.values())


def _foreign_files(
    mentioned: Mapping[FileRef, str], others: Objects, kinds: Mapping[str, Kind], target: Source
) -> dict[Ident, Document]:
    """Files of other agents that this one's documents refer to.

    If they are lost they come back as this agent's own: only its session is open.
    """
    needed = {ref.key for ref in mentioned}
    return {
        ident: {**document, **_ours(target)}
        for ident, document in others.items()
        if is_file(kinds[ident[0]])
        and needed & {ref.key for ref in files_of(kinds[ident[0]], document)}
    }


def _unlisted_files(
    mentioned: Mapping[FileRef, str], known: Objects, kinds: Mapping[str, Kind], target: Source
) -> dict[Ident, Document]:
    """Files of nobody in this account (aisuru-api.md 14), as objects made of what is known.

    Args:
        mentioned: all that the documents refer to.
        known: all that the account has listed, {} where it is not known any more as what.
        kinds: those that take part.
        target: whose own they become if they are lost.
    """
    kind = next((each for each in kinds.values() if is_file(each)), None)
    if kind is None:
        return {}
    listed = by_file(known, kinds)
    found: dict[Ident, Document] = {}
    for ref, name in mentioned.items():
        # The file of an asset is named by its id (aisuru-api.md 9.1).
        ident = (kind.name, PurePosixPath(ref.asset_file).stem)
        if ident[1] and ref.key not in listed and ident not in known and ident not in found:
            facts = {kind.key: ident[1], kind.files[0]: ref.url}
            named = {"originalFileName": name[:_LONGEST_NAME] or ident[1]}
            found[ident] = {**facts, **named, **_ours(target)}
    return found


def _ours(target: Source) -> Document:
    return {"memoriID": target.remote_id, "engineMemoryID": None}


def _stored_files(
    mirror: Mirror, kinds: Mapping[str, Kind], objects: Objects
) -> dict[str, Document]:
    keys = (
        ref.key
        for (name, _), document in objects.items()
        if is_file(kinds[name])
        for ref in files_of(kinds[name], document)
    )
    return mirror.stored_files(keys)
