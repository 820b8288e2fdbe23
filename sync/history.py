"""History: what an object is and was, what changed when, and how two snapshots differ.

An object that a restore brought back under a new key is one object all along (`sync.lives`).
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain
from typing import Any

from sync.batches import batches
from sync.change import CREATED
from sync.document import Document
from sync.errors import UsageError
from sync.kind import Ident, Kind, Scope, is_usable_key
from sync.kinds.file import FILE
from sync.lives import Difference, Lives, moved_urls, net
from sync.mirror.database import BATCH
from sync.mirror.journal import Journal
from sync.mirror.mirror import Mirror
from sync.mirror.values import Source, Status
from sync.redact import STARS
from sync.refs import is_file

DIFFERENT = 20
"""Exit code of `diff --exit-code` where there are differences."""


@dataclass(frozen=True)
class Shown:
    """One object at one moment.

    Attributes:
        key: the one it has there, or had last; restores give new ones.
        snapshot_id: the snapshot it is shown at.
        is_deleted: it is not there any more, and shown as it was last.
        document: with masked fields as stars.
    """

    source: Source
    key: str
    snapshot_id: int
    document: Document
    is_deleted: bool = False


def show(
    mirror: Mirror,
    kinds: Mapping[str, Kind],
    kind_name: str,
    key: str,
    *,
    snapshot_id: int | None = None,
    at: datetime | None = None,
    memori: str | None = None,
) -> Shown:
    """Find an object, now or as it was.

    Args:
        mirror: where to look.
        kinds: the registry.
        kind_name: one of them, or `file`.
        key: the object's, or one that it had before or after a restore.
        snapshot_id: as at this snapshot of its source; by default as seen last.
        at: as at the last snapshot of its source that was begun by then.
        memori: name or id of the Memori, where several have such a key.

    Raises:
        UsageError: there is no such kind, Memori, snapshot or object, or there are several.
    """
    kind = _kind(kinds, kind_name)
    _check_key(key)
    if snapshot_id is not None and at is not None:
        raise UsageError("give either --snapshot or --at")
    if snapshot_id is not None:
        _source_of(mirror, snapshot_id)
    keys = {
        source: _lives(mirror, source).keys((kind.name, key)) for source in mirror.sources(memori)
    }
    is_now = snapshot_id is None and at is None
    found = list(_as_at(mirror, kind, key, keys, snapshot_id, at))
    if not found and is_now:
        found = list(_as_last_seen(mirror, kind, keys))
    if not found and is_now and any(mirror.past.has_seen(each, kind, keys[each]) for each in keys):
        raise UsageError(f"{kind_name} {key!r} is gone, and what it was is forgotten")
    if not found:
        when = "" if is_now else " of that time"
        raise UsageError(f"the mirror holds no {kind_name} {key!r}{when}")
    if len(found) > 1:
        names = ", ".join(each.source.name for each in found)
        raise UsageError(f"several have a {kind_name} {key!r}: {names}", "add --memori")
    return found[0]


@dataclass(frozen=True)
class Logged:
    """One change, as it is told.

    Attributes:
        was: the key that the object had before, where a restore gave it this one.
        title: what it is called.
        fields: names of those that changed, where it was there before and after.
        is_before_forgotten: it was there before, but what it was is forgotten.
    """

    source: Source
    snapshot_id: int
    seen_at: datetime
    kind: str
    key: str
    was: str | None
    op: str
    title: str
    fields: tuple[str, ...]
    is_before_forgotten: bool = False


def log(
    mirror: Mirror,
    kinds: Mapping[str, Kind],
    kind_name: str | None = None,
    key: str | None = None,
    *,
    since: datetime | None = None,
    memori: str | None = None,
) -> Iterator[Logged]:
    """Tell what changed, the latest first.

    Args:
        mirror: where to look.
        kinds: the registry.
        kind_name: only of this kind; files are told of only by theirs, `file`.
        key: only of this object, under whatever key it had.
        since: only what was seen by snapshots that were begun then or later.
        memori: name or id of a Memori: only of this one.

    Raises:
        UsageError: there is no such kind, Memori or object.
    """
    known = kinds if kind_name is None else {kind_name: _kind(kinds, kind_name)}
    lives = {source: _lives(mirror, source) for source in mirror.sources(memori)}
    keys: dict[Source, Collection[str] | None] = dict.fromkeys(lives)
    if kind_name is not None and key is not None:
        _check_key(key)
        found = {source: each.keys((kind_name, key)) for source, each in lives.items()}
        if not any(mirror.past.has_seen(each, known[kind_name], found[each]) for each in found):
            raise UsageError(f"the mirror never held a {kind_name} {key!r}")
        keys = {**found}
    for change in mirror.past.changes(keys, known, since):
        kind, was, now = known[change.kind], change.before, change.document
        yield Logged(
            source=change.source,
            snapshot_id=change.snapshot_id,
            seen_at=change.seen_at,
            kind=change.kind,
            key=change.key,
            was=lives[change.source].was((change.kind, change.key))
            if change.op == CREATED
            else None,
            op=change.op,
            title=kind.name_of(now or {}) or kind.name_of(was or {}),
            fields=tuple(kind.differences(was, now)) if was and now else (),
            is_before_forgotten=was is None and change.op != CREATED,
        )


@dataclass(frozen=True)
class Span:
    """Two snapshots of one source, the second maybe the earlier one."""

    source: Source
    first_id: int
    second_id: int


def span(mirror: Mirror, first_id: int, second_id: int | None = None) -> Span:
    """Two snapshots to compare; the second is by default the latest of the same source.

    Raises:
        UsageError: there is no such snapshot, or they are of two sources.
    """
    source = _source_of(mirror, first_id)
    if second_id is None:
        second_id = mirror.past.last_snapshot(source) or first_id
    other = _source_of(mirror, second_id)
    if other != source:
        raise UsageError(
            f"snapshot {first_id} is of {source.name}, snapshot {second_id} of {other.name}",
            "compare two of one source; see: aisuru-sync snapshots",
        )
    return Span(source, first_id, second_id)


@dataclass(frozen=True)
class Doubt:
    """A kind that a snapshot did not see whole: what it did not see stands as it was before."""

    snapshot_id: int
    kind: str
    status: Status


def diff(
    mirror: Mirror, kinds: Mapping[str, Kind], between: Span, names: Collection[str] = ()
) -> Iterator[Difference]:
    """Tell how two snapshots of a source differ, kind by kind, with masked fields as stars.

    Only what changed between them is read.

    Args:
        mirror: where to look.
        kinds: the registry.
        between: the two snapshots.
        names: only of these kinds; files are told of only by theirs, `file`.

    Raises:
        UsageError: there is no such kind.
    """
    source = between.source
    chosen = [_kind(kinds, name) for name in names or kinds]
    lives = _lives_with_urls(mirror, kinds, source)
    for kind in chosen:
        for keys in _touched(mirror, kind, between, lives):
            before, after = (
                mirror.past.documents(source, kind, keys, each)
                for each in (between.first_id, between.second_id)
            )
            for found in net(kind, before, after, lives):
                yield replace(found, fields=masked_pairs(kind, found.fields))


def doubts(mirror: Mirror, between: Span, names: Collection[str] = ()) -> list[Doubt]:
    """Where a comparison rests on what was not seen whole: arguments as for `diff`."""
    return [
        Doubt(snapshot.id, kind, result.status)
        for snapshot in mirror.snapshots()
        if snapshot.id in (between.first_id, between.second_id)
        for kind, result in snapshot.kinds.items()
        if result.status is not Status.COMPLETE and (not names or kind in names)
    ]


def _touched(mirror: Mirror, kind: Kind, between: Span, lives: Lives) -> Iterator[list[str]]:
    """Batches of the keys that may differ, each with all keys of its life, none twice."""
    done: set[str] = set()
    earlier, later = sorted((between.first_id, between.second_id))
    touched = mirror.past.touched(between.source, kind, earlier, later)
    for batch in batches(touched, BATCH):
        keys = [key for key in batch if key not in done]
        families = dict.fromkeys(lives.keys((kind.name, key)) for key in keys)
        done.update(chain.from_iterable(each for each in families if len(each) > 1))
        yield list(chain.from_iterable(families))


def _as_at(
    mirror: Mirror,
    kind: Kind,
    key: str,
    keys: Mapping[Source, Collection[str]],
    snapshot_id: int | None,
    at: datetime | None,
) -> Iterator[Shown]:
    for source, life in keys.items():
        moment_id = mirror.past.last_snapshot(source, snapshot_id=snapshot_id, at=at)
        if moment_id is not None:
            there = mirror.past.documents(source, kind, life, moment_id)
            found = next((each for each in (key, *reversed([*life])) if each in there), None)
            if found is not None:
                yield Shown(source, found, moment_id, masked(kind, there[found]))


def _as_last_seen(
    mirror: Mirror, kind: Kind, keys: Mapping[Source, Collection[str]]
) -> Iterator[Shown]:
    for source, life in keys.items():
        if found := mirror.past.last_versions(source, kind, life):
            key = max(found, key=lambda each: found[each][0])
            yield Shown(source, key, found[key][0], masked(kind, found[key][1]), is_deleted=True)


def _lives(mirror: Mirror, source: Source) -> Lives:
    return Lives(_successors(mirror, source))


def _successors(mirror: Mirror, source: Source) -> dict[Ident, str]:
    """The key map of a Memori; of the account, which has none of its own, all of them."""
    sources = [source] if source.scope is Scope.MEMORI else mirror.sources()
    return {
        ident: key for each in sources for ident, key in Journal(mirror, each).came_back().items()
    }


def _lives_with_urls(mirror: Mirror, kinds: Mapping[str, Kind], source: Source) -> Lives:
    """With the URLs of files whose asset came back under another name."""
    successors = _successors(mirror, source)
    lives = Lives(successors)
    documents: dict[Ident, Document] = {}
    for kind in filter(is_file, kinds.values()):
        lost = {key for name, key in successors if name == kind.name}
        wanted = lost | {lives.last((kind.name, key)) for key in lost}
        for owner in (each for each in mirror.sources() if each.scope is kind.scope):
            found = mirror.past.last_versions(owner, kind, wanted)
            documents |= {(kind.name, key): document for key, (_, document) in found.items()}
    last = {ident: lives.last(ident) for ident in documents}
    moved = {ident: key for ident, key in last.items() if (ident[0], key) in documents}
    return Lives(successors, moved_urls(documents, documents, moved, kinds))


def masked(kind: Kind, document: Document) -> Document:
    """A document as it may be shown."""
    return {
        name: STARS if name in kind.masked and value else value for name, value in document.items()
    }


def masked_pairs(kind: Kind, fields: Mapping[str, tuple[Any, Any]]) -> dict[str, tuple[Any, Any]]:
    """{field: (old, new)} as it may be shown."""
    old, new = (masked(kind, {name: both[n] for name, both in fields.items()}) for n in (0, 1))
    return {name: (old[name], new[name]) for name in fields}


def _kind(kinds: Mapping[str, Kind], name: str) -> Kind:
    kind = {**kinds, FILE.name: FILE}.get(name)
    if kind is None:
        raise UsageError(f"there is no kind {name!r}", f"kinds: {', '.join(kinds)}")
    return kind


def _check_key(key: str) -> None:
    if not is_usable_key(key):
        raise UsageError("that is no key of any object")


def _source_of(mirror: Mirror, snapshot_id: int) -> Source:
    source = mirror.past.seen_by(snapshot_id)
    if source is None:
        raise UsageError(f"there is no snapshot {snapshot_id}", "see: aisuru-sync snapshots")
    mirror.past.check_kept(snapshot_id)
    return source
