"""Lives: an object that restores brought back under new keys is one object all along. Pure.

A key map says which key came back as which (P, P', P''). Two states of an object are compared as
if it had had one key always, and so are the refs and the URLs that point to it.
"""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import takewhile, zip_longest
from typing import Any

from sync.change import CREATED, DELETED, UPDATED
from sync.document import Document
from sync.kind import Ident, Kind
from sync.link import file_refs, move_assets
from sync.refs import Objects, is_file


class Lives:
    """Which keys belong to one object.

    Args:
        successors: {ident: the key it came back under}.
        urls: {key of a file: the URL it has now}, of files whose asset came back.
    """

    def __init__(
        self, successors: Mapping[Ident, str], urls: Mapping[str, str] | None = None
    ) -> None:
        self._was = {(kind, new): old for (kind, old), new in successors.items()}
        self._urls = urls or {}
        self._last: dict[Ident, str] = {}
        lives: dict[Ident, dict[str, int]] = {}
        for name, key in {*successors, *self._was}:
            way = _way_to_the_last((name, key), successors)
            self._last[name, key] = way[-1]
            lives.setdefault((name, way[-1]), {})[key] = len(way)
        self._keys = {
            last: tuple(sorted(ways, key=lambda key: (-ways[key], key)))
            for last, ways in lives.items()
        }

    def keys(self, ident: Ident) -> tuple[str, ...]:
        """Every key that an object had, the oldest first."""
        name, key = ident
        return self._keys.get((name, self.last(ident)), (key,))

    def was(self, ident: Ident) -> str | None:
        """The key of which this one is the successor, if it is one."""
        return self._was.get(ident)

    def last(self, ident: Ident) -> str:
        """The last key of an object, which stands for all of them."""
        return self._last.get(ident, ident[1])

    def differences(self, kind: Kind, old: Document, new: Document) -> dict[str, tuple[Any, Any]]:
        """{field: (old, new)} of what is a change, and more than a ref or URL that moved along."""
        both = kind.differences(old, new)
        real = kind.differences(self._settled(kind, old), self._settled(kind, new)) if both else {}
        return {name: both[name] for name in real}

    def _settled(self, kind: Kind, document: Document) -> Document:
        return kind.rewrite(
            document,
            lambda name, key: self.last((name, key)),
            lambda text: move_assets(text, self._urls),
        )


@dataclass(frozen=True)
class Difference:
    """How one object differs between two states.

    Attributes:
        op: what turns the one into the other: `created`, `updated` or `deleted`.
        key: the one it has in the second state, or had in the first if it is deleted.
        was: the key it had in the first, where that is another one.
        title: what it is called.
        fields: {field: (old, new)}; of what is created or deleted, all that are set.
    """

    kind: str
    key: str
    was: str | None
    op: str
    title: str
    fields: Mapping[str, tuple[Any, Any]]


def net(
    kind: Kind, before: Mapping[str, Document], after: Mapping[str, Document], lives: Lives
) -> Iterator[Difference]:
    """Find what turns one state into another, in the order of the keys.

    Args:
        kind: of all objects.
        before: {key: document}; what is equal on both sides may be left out, all keys of a life
            are given or none.
        after: {key: document}.
        lives: which keys are one object's.
    """
    done: set[str] = set()
    for key in sorted(before.keys() | after.keys()):
        if key in done:
            continue
        life = lives.keys((kind.name, key))
        done.update(life)
        for old, new in pairs(life, before, after):
            if found := _difference(kind, old, new, before, after, lives):
                yield found


def pairs(
    life: tuple[str, ...], before: Collection[str], after: Collection[str]
) -> list[tuple[str | None, str | None]]:
    """Match the keys of one life in two states: by themselves, and else in their order."""
    same = [key for key in life if key in before and key in after]
    lost = [key for key in life if key in before and key not in after]
    made = [key for key in life if key in after and key not in before]
    return [*((key, key) for key in same), *zip_longest(lost, made)]


def _difference(
    kind: Kind,
    old: str | None,
    new: str | None,
    before: Mapping[str, Document],
    after: Mapping[str, Document],
    lives: Lives,
) -> Difference | None:
    was, now = before.get(old or "", {}), after.get(new or "", {})
    title = kind.name_of(now) or kind.name_of(was)
    if new is None or old is None:
        op, key = (DELETED, old or "") if new is None else (CREATED, new)
        return Difference(kind.name, key, None, op, title, kind.differences(was, now))
    fields = lives.differences(kind, was, now)
    moved = old if old != new else None
    return Difference(kind.name, new, moved, UPDATED, title, fields) if fields else None


def follow(ident: Ident, successors: Mapping[Ident, str], live: Container[Ident] = ()) -> str:
    """The key that an object has after all restores (P, P', P''), or the first that is live."""
    _, *later = way = _way(ident, successors)
    return next((key for key in later if (ident[0], key) in live), way[-1])


def last_known(ident: Ident, successors: Mapping[Ident, str], live: Container[Ident]) -> Ident:
    """The last key that a lost object had: what it comes back as is the successor of that one."""
    name, (first, *later) = ident[0], _way(ident, successors)
    lost = takewhile(lambda key: (name, key) not in live, later)
    return name, [first, *lost][-1]


def first_keys(became: Iterable[tuple[Ident, str]]) -> dict[Ident, str]:
    """The key that each object had before it came back anywhere.

    Args:
        became: (ident, key it came back under), of any number of Memoris.
    """
    was = {(name, new): (name, old) for (name, old), new in became}
    firsts: dict[Ident, str] = {}
    for ident in was:
        way = [ident]
        while (before := was.get(way[-1])) is not None and before not in way:
            way.append(before)
        firsts[ident] = way[-1][1]
    return firsts


def moved_urls(
    wanted: Objects, live: Objects, matches: Mapping[Ident, str], kinds: Mapping[str, Kind]
) -> dict[str, str]:
    """{key of a file: its URL now} of the files whose asset came back under another name."""
    urls: dict[str, str] = {}
    for ident, key in matches.items():
        kind = kinds[ident[0]]
        if not is_file(kind):
            continue
        (name,) = kind.files
        before, now = wanted[ident].get(name), live[kind.name, key].get(name)
        if isinstance(before, str) and isinstance(now, str) and before != now:
            urls |= {ref.key: now for ref in file_refs({name: before}, (name,), ())}
    return urls


def _way(ident: Ident, successors: Mapping[Ident, str]) -> list[str]:
    """The keys from this one on, each once."""
    name, key = ident
    way = [key]
    while (after := successors.get((name, way[-1]))) is not None and after not in way:
        way.append(after)
    return way


def _way_to_the_last(ident: Ident, successors: Mapping[Ident, str]) -> list[str]:
    """The keys from this one to the last; a ring ends at its least key."""
    way = _way(ident, successors)
    if (again := successors.get((ident[0], way[-1]))) is not None:
        ring = way[way.index(again) :]
        way = way[: way.index(min(ring)) + 1]
    return way
