"""What a restore brings back: the objects that a snapshot saw, and the files they need."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from sync.document import Document
from sync.kind import Ident, Kind, Scope
from sync.link import FileRef, mentions_files, move_assets
from sync.lives import Lives, follow
from sync.mirror.journal import Journal
from sync.mirror.mirror import Mirror
from sync.mirror.values import Snapshot, Source
from sync.refs import Objects, by_file, files_of, is_file, is_settings, mentioned_files
from sync.restore_point import taken_from

_LONGEST_NAME = 100


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


def read_wanted(
    mirror: Mirror,
    kinds: Mapping[str, Kind],
    owner: Source,
    snapshot: Snapshot,
    target: Source,
    named: Collection[str] = (),
) -> Wanted:
    """Read the state of a Memori at a snapshot, and of its account in the same run.

    A kind that is taken from an older snapshot comes with what it needed then.

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
    taken = taken_from(mirror, kinds, owner, snapshot)
    found = _Found(snapshot.source, target, named)
    for kind in kinds.values():
        source, at = taken[kind.name]
        for key, document in mirror.past.proven_state(source, kind, at):
            found.take(kind, key, document)
    older: dict[int, list[str]] = {}
    for name, (source, at) in taken.items():
        is_meant = not named or {name, _parent(kinds[name])} & {*named}
        if source == snapshot.source and at not in (None, snapshot.id) and is_meant:
            older.setdefault(at, []).append(name)
    lives = Lives(Journal(mirror, snapshot.source).came_back() if older else {})
    # Of what several need, the latest counts.
    for at, names in sorted(older.items(), reverse=True):
        moments = list(_moments(mirror, kinds, owner, snapshot.source, at))
        waiting = {ident: each for ident, each in found.objects.items() if ident[0] in names}
        while waiting:
            waiting = _take_along(mirror, kinds, found, lives, moments, waiting)
    objects, others, damaged = found.objects, found.others, found.damaged
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


@dataclass(frozen=True)
class _Found:
    """What was there, sorted as it is read.

    Attributes:
        objects: of the Memori, as they are on the target.
        others: of the account, and of its other Memoris.
        damaged: what is not known any more.
    """

    origin: Source
    target: Source
    named: Collection[str]
    objects: dict[Ident, Document] = field(default_factory=dict)
    others: dict[Ident, Document] = field(default_factory=dict)
    damaged: set[Ident] = field(default_factory=set)

    def take(self, kind: Kind, key: str, document: Document | None) -> None:
        """Put an object where it belongs."""
        if document is None:
            self.damaged.add((kind.name, key))
        elif kind.scope is Scope.ACCOUNT and document.get("memoriID") != self.origin.remote_id:
            self.others[kind.name, key] = document
        elif kind.scope is Scope.MEMORI or self.target.remote_id == self.origin.remote_id:
            self.objects[kind.name, key] = document
        elif not is_settings(kind) or kind.name in self.named:
            moved = _as_of(kind, document, self.target)
            self.objects[kind.name, kind.key_of(moved)] = moved

    def key_of(self, ident: Ident, lives: Lives) -> str | None:
        """The key under which an object is here: its own, or else the last one of its life."""
        keys = (ident[1], *reversed(lives.keys(ident)))
        here = (self.objects, self.others, self.damaged)
        return next((key for key in keys if any((ident[0], key) in each for each in here)), None)


def each_once(
    wanted: Wanted,
    live: Objects,
    kinds: Mapping[str, Kind],
    successors: Mapping[Ident, str],
    named: Collection[str] = (),
) -> Wanted:
    """The same, but a lost file that is wanted under several keys comes back once. Pure.

    An agent may have a copy of a file and show that of the other agent as well. Where both are lost
    what comes back of the copy stands for both.

    Args:
        wanted: what was there.
        live: what is there.
        kinds: those that take part.
        successors: {ident: key it came back under} of earlier restores.
        named: keys that were asked for by name, and that come back themselves.
    """
    lost: dict[Ident, list[Ident]] = {}
    for ident, document in wanted.objects.items():
        kind = kinds[ident[0]]
        if is_file(kind) and any(ref.key in wanted.files for ref in files_of(kind, document)):
            last = (kind.name, follow(ident, successors, live))
            if ident not in live and last not in live:
                lost.setdefault(last, []).append(ident)
    # The agent's own come first among all that is wanted.
    same = {
        other: first
        for first, *more in lost.values()
        for other in more
        if other in wanted.foreign and (other[1] not in named or first[1] in named)
    }
    if not same:
        return wanted
    urls = {
        ref.key: str(wanted.objects[first][kinds[first[0]].files[0]])
        for other, first in same.items()
        for ref in files_of(kinds[other[0]], wanted.objects[other])
    }
    objects = {
        ident: kinds[ident[0]].rewrite(
            document, lambda _, key: key, lambda text: move_assets(text, urls)
        )
        if mentions_files(document)
        else document
        for ident, document in wanted.objects.items()
        if ident not in same
    }
    return replace(
        wanted,
        objects=objects,
        foreign=wanted.foreign - same.keys(),
        unlisted=wanted.unlisted - same.keys(),
    )


def _as_of(kind: Kind, document: Document, target: Source) -> Document:
    """An object of the account as it is if it belongs to another Memori, or is that Memori."""
    name = {"name": target.name} if is_settings(kind) else {}
    return {**document, "memoriID": target.remote_id, **name}


def _moments(
    mirror: Mirror, kinds: Mapping[str, Kind], owner: Source, origin: Source, at: int
) -> Iterator[tuple[Kind, Source, int]]:
    """Whose state of each kind belongs to a snapshot of a Memori, and as of which snapshot."""
    beside = mirror.sibling(at, owner)
    for kind in kinds.values():
        if kind.scope is Scope.MEMORI:
            yield kind, origin, at
        elif beside is not None:
            yield kind, owner, beside


def _take_along(
    mirror: Mirror,
    kinds: Mapping[str, Kind],
    found: _Found,
    lives: Lives,
    moments: Sequence[tuple[Kind, Source, int]],
    objects: Objects,
) -> dict[Ident, Document]:
    """Have older objects refer to what is there, and take along what they needed and is gone since.

    What a child belongs to is not needed: it goes with its parent.

    Returns:
        What was taken along and may need something itself.
    """
    mentioned = _mentioned(objects, kinds)
    refs = {
        (kind.name, _key_of(ref)): ref.key
        for kind in filter(is_file, kinds.values())
        for ref in mentioned
    }
    needed = {
        (ref.kind, key)
        for (name, _), document in objects.items()
        for ref in kinds[name].refs
        if ref.kind != _parent(kinds[name]) and isinstance(key := document.get(ref.path), str)
    }
    now = {ident: found.key_of(ident, lives) for ident in (*needed, *refs)}
    taken: dict[Ident, Document] = {}
    for kind, source, moment in moments:
        keys = [key for (name, key), there in now.items() if name == kind.name and there is None]
        for key, document in mirror.past.proven(source, kind, keys, moment).items():
            found.take(kind, key, document)
            # What a file belongs to is not needed either.
            if document is not None and not is_file(kind):
                taken[kind.name, key] = document
    moved = {ident: key for ident, key in now.items() if key not in (None, ident[1])}
    urls = {
        refs[name, old]: str(document.get(kinds[name].files[0]))
        for (name, old), key in moved.items()
        for document in (found.objects.get((name, key)) or found.others.get((name, key)),)
        if (name, old) in refs and document
    }
    for ident, document in objects.items() if moved else ():
        found.objects[ident] = kinds[ident[0]].rewrite(
            document,
            lambda name, key: moved.get((name, key)) or key,
            lambda text: move_assets(text, urls),
        )
    return taken


def _parent(kind: Kind) -> str:
    return kind.parent.kind if kind.parent else ""


def _key_of(ref: FileRef) -> str:
    # The file of an asset is named by its id (aisuru-api.md 9.1).
    return PurePosixPath(ref.asset_file).stem


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
        ident = (kind.name, _key_of(ref))
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
