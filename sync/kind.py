"""What a kind is: pure data about one sort of remote object, and the pure rules that follow.

A `Kind` says where its objects are listed and how they are written, and gives every field of its
documents one role. Everything else (what counts as a change, what is sent, which columns the
mirror has, which other objects and files a document needs) follows from the roles. What other
modules know by name is little: which agent an object of the account belongs to, what a file is
called.

Roles are *paths*, because documents nest: `answers[].creationTimestamp` is a field of each
element of the list `answers`. A nested field that is not named has the role of what it lies in.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

from sync.document import (
    LONGEST_KEY_BYTES,
    SESSION_FIELDS,
    Document,
    canonical,
    is_fit,
    is_objects,
    map_texts,
)
from sync.errors import BadAnswer
from sync.field import (
    TEXT,
    Fields,
    Paths,
    Type,
    column_name,
    paths_of,
    typed,
    without,
)


class Scope(StrEnum):
    """Where objects are listed from."""

    ACCOUNT = "account"
    MEMORI = "memori"


_CHANGED_AT = "lastChangeTimestamp"
AUDIT: Fields = {
    "creationTimestamp": TEXT,
    _CHANGED_AT: TEXT,
    **dict.fromkeys(sorted(SESSION_FIELDS), TEXT),
}
"""The audit fields of nearly every Engine object, in both namings (aisuru-api.md 2)."""

_PAGE = "/{from}/{howMany}"
_MOST = 2**31 - 1
"""How many objects can be asked for at once."""


@dataclass(frozen=True)
class Route:
    """One endpoint: method, path template and the field of the answer that holds the result.

    Path parameters are `{session}` or `{token}` (the credential), `{from}` and `{howMany}`, and
    otherwise fields of the document that the call is about.

    Attributes:
        answer: the field of the answer that holds the result.
        count: the field of the answer that says how many objects a listing has.
        optional: trailing path parameters that may be left out.
        repeatable: making the call twice is as good as once; a POST never is, unless it only asks.
        query: what a listing by POST is asked with; the bounds of a page go along with it.
    """

    method: str
    template: str
    answer: str = ""
    count: str = "count"
    optional: frozenset[str] = frozenset()
    repeatable: bool = True
    query: Mapping[str, Any] | None = None

    @property
    def paged(self) -> bool:
        """Does the listing come in pages, with a count?"""
        return _PAGE in self.template or self.query is not None

    @property
    def is_safe(self) -> bool:
        """May a call be made again that may have been carried out?"""
        return self.repeatable and (self.method != "POST" or self.query is not None)

    @property
    def unpaged(self) -> "Route":
        """The same listing in one answer (aisuru-api.md 6)."""
        everything = None if self.query is None else {**self.query, "from": 0, "howMany": _MOST}
        return replace(self, template=self.template.replace(_PAGE, ""), query=everything)


Ident = tuple[str, str]
"""What identifies an object within its source: kind and key."""


@dataclass(frozen=True)
class Ref:
    """A field that holds the key of another object.

    Attributes:
        without: what is to be said of an object that lacks it, or "".
    """

    path: str
    kind: str
    without: str = ""


@dataclass(frozen=True)
class Clearing:
    """How a field is emptied by an update, where null would leave it as it is.

    Attributes:
        value: what is sent instead (aisuru-api.md 7).
        along: fields that the remote empties with it.
    """

    value: str
    along: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Limits:
    """What of one object cannot be restored.

    Attributes:
        no_create: why it cannot be created, or "".
        unsent: fields that are never sent for it.
    """

    no_create: str = ""
    unsent: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Parent:
    """The kind whose documents this kind's objects come embedded in.

    Attributes:
        kind: the parent's kind.
        field: the list in the parent's document that holds the children.
        key: the field that a child is given to name its parent.
        position: the field that a child is given to keep its place in the list.
    """

    kind: str
    field: str
    key: str
    position: str


def _same(document: Document) -> Document:
    return document


def _no_address(_: Document) -> Document:
    return {}


def _no_limits(_: Document) -> Limits:
    return Limits()


@dataclass(frozen=True, eq=False, kw_only=True)
class Kind:
    """One sort of remote object.

    Attributes:
        name: also its table's name.
        about: what it is for the owner of an agent, in a line.
        key: the field that holds the remote's id.
        writable: sent by create and update; a change.
        create_only: sent by create only; a change.
        assigned: set by the remote, never sent; still a change.
        volatile: never sent, never a change: stamps, session IDs, derived and usage fields.
        key_given: the caller chooses the key, so it is sent along.
        masked: fields that are kept but never shown.
        refs: fields that hold other objects' keys.
        files: fields whose whole value is the URL of a file.
        twin: fields that identify an object that someone made again by hand.
        either: fields of which only one is set; an update cannot swap them.
        clearing: how fields are emptied.
        title: fields that name an object to people, the first that is set.
        not_restorable: why objects of this kind cannot be created, or "".
        limits: what of one object cannot be restored.
        proof: the field in which an update must carry the agent's own password, or "".
        is_personal: data of people who talked with the agent, mirrored only if that is asked for.
        allow_list: keep only declared fields, because the others may hold secrets.
        secret: fields that are never kept, so that what is made again lacks them.
        after: kinds that its texts may name, so that theirs are made first and deleted last.
        parent: where its objects are embedded, if they are.
        embeds: the lists in its documents that hold objects of other kinds, which are cut out.
        clean: drops what must not be kept, before anything else sees the document.
        address: path parameters that are not fields of the document.
    """

    name: str
    about: str
    scope: Scope
    key: str
    list: Route | None = None
    get: Route | None = None
    create: Route | None = None
    update: Route | None = None
    delete: Route | None = None
    writable: Fields = field(default_factory=dict)
    create_only: Fields = field(default_factory=dict)
    assigned: Fields = field(default_factory=dict)
    volatile: Fields = field(default_factory=dict)
    key_given: bool = False
    masked: frozenset[str] = frozenset()
    refs: tuple[Ref, ...] = ()
    files: tuple[str, ...] = ()
    twin: tuple[str, ...] = ()
    either: tuple[str, ...] = ()
    clearing: Mapping[str, Clearing] = field(default_factory=dict)
    title: tuple[str, ...] = ()
    not_restorable: str = ""
    limits: Callable[[Document], Limits] = _no_limits
    proof: str = ""
    is_personal: bool = False
    allow_list: bool = False
    secret: frozenset[str] = frozenset()
    after: frozenset[str] = frozenset()
    parent: Parent | None = None
    embeds: frozenset[str] = frozenset()
    clean: Callable[[Document], Document] = _same
    address: Callable[[Document], Document] = _no_address

    @cached_property
    def columns(self) -> Mapping[str, tuple[str, Type]]:
        """{field: (column, type)} of every declared top-level field but the key."""
        return {
            path: (column_name(path), type_)
            for role in (self.writable, self.create_only, self.assigned, self.volatile)
            for path, type_ in role.items()
            if "." not in path and "[" not in path
        }

    @cached_property
    def declared(self) -> frozenset[str]:
        """Every declared top-level field."""
        return frozenset({self.key, *self.columns})

    @cached_property
    def _ignored(self) -> Paths:
        return paths_of([self.key, *self.volatile])

    def key_of(self, document: Document) -> str:
        """The key of a document.

        Raises:
            BadAnswer: it has none, or one that no remote would give.
        """
        key = document.get(self.key)
        if not is_usable_key(key):
            raise BadAnswer(f"a {self.name} came without a usable {self.key}")
        return str(key)

    def matter(self, document: Document) -> Document:
        """The part of a document whose difference is a change; null equals absent."""
        return without(document, self._ignored)

    def digest(self, document: Document) -> str:
        """SHA-256 of what matters, in hex; the key is not part of it."""
        text = canonical(self.matter(document))
        return hashlib.sha256(text.encode()).hexdigest()

    def differences(self, old: Document, new: Document) -> dict[str, tuple[Any, Any]]:
        """{field: (old, new)} of the top-level fields whose difference is a change."""
        before, after = self.matter(old), self.matter(new)
        return {
            name: (before.get(name), after.get(name))
            for name in sorted(before.keys() | after.keys())
            if before.get(name) != after.get(name)
        }

    def is_untouched(self, old: Document, new: Document) -> bool:
        """Does the remote itself say that an object was not changed between two sights?"""
        stamp = old.get(_CHANGED_AT)
        return isinstance(stamp, str) and stamp == new.get(_CHANGED_AT)

    def undeclared(self, document: Document) -> frozenset[str]:
        """Fields that this version does not know; they are kept, and count as a change."""
        # Far most have none, and asking that is much faster than taking away.
        if document.keys() <= self.declared:
            return frozenset()
        return frozenset(document.keys() - self.declared)

    def accept(self, document: Document) -> Document:
        """What of a listed document may be kept at all, and the objects embedded in it."""
        kept = self.clean(document)
        if self.allow_list:
            known = self.declared | self.embeds
            kept = {name: value for name, value in kept.items() if name in known}
        return kept

    def body(self, document: Document, *, create: bool) -> Document:
        """What a create or an update sends of a document: its writable fields, nulls left out."""
        names = {*self.writable, *self.create_only} if create else set(self.writable)
        sent = {name: value for name, value in self.matter(document).items() if name in names}
        return {self.key: document[self.key], **sent} if self.key_given else sent

    def references(self, document: Document) -> Iterator[Ident]:
        """The objects that a document's refs name."""
        for ref in self.refs:
            if isinstance(key := document.get(ref.path), str) and key:
                yield ref.kind, key

    def rewrite(
        self,
        document: Document,
        key_of: Callable[[str, str], str],
        text_of: Callable[[str], str],
    ) -> Document:
        """A document whose refs and texts mean objects elsewhere.

        Args:
            document: as the mirror holds it.
            key_of: gives the key that (kind, key) has there.
            text_of: rewrites the URLs inside a text.
        """
        kinds = {ref.path: ref.kind for ref in self.refs}
        return {
            name: key_of(kinds[name], value)
            if name in kinds and isinstance(value, str) and value
            else map_texts(value, text_of)
            for name, value in document.items()
        }

    def name_of(self, document: Document) -> str:
        """What an object is called when people are told of it."""
        names = (document.get(name) for name in self.title)
        return next((each for each in names if isinstance(each, str) and each), "")

    def row(self, document: Document) -> dict[str, Any]:
        """{column: value} of the typed columns; what does not fit its type is null."""
        return {
            column: typed(document.get(name), type_)
            for name, (column, type_) in self.columns.items()
        }


def is_usable_key(key: Any) -> bool:
    """Can a remote's id, or the name of a file, be kept, and sent back in a path?"""
    if not isinstance(key, str) or not key.strip() or not is_fit(key):
        return False
    return len(key.encode()) <= LONGEST_KEY_BYTES


def children(kind: Kind, kinds: Mapping[str, Kind]) -> tuple[Kind, ...]:
    """The kinds whose objects come embedded in this kind's documents."""
    return tuple(each for each in kinds.values() if each.parent and each.parent.kind == kind.name)


def cut_out(document: Document, child: Kind) -> tuple[Document, Any]:
    """A parent's document without its list of children, and that list; None if it had none."""
    parent = parent_of(child)
    kept = {name: value for name, value in document.items() if name != parent.field}
    return kept, document.get(parent.field)


def adopt(found: Any, child: Kind, parent_key: str) -> list[Document]:
    """Give each child of a list its parent's key and its position.

    Raises:
        BadAnswer: `found` is no list of objects.
    """
    parent = parent_of(child)
    if not is_objects(found):
        raise BadAnswer(f"{parent.field} of a {parent.kind} is not a list of objects")
    return [{**each, parent.key: parent_key, parent.position: n} for n, each in enumerate(found)]


def in_place(kind: Kind, asked: Document, listed: Document) -> Document:
    """An object as a listing shows it: asked for alone, a child does not say where it belongs."""
    place = (kind.parent.key, kind.parent.position) if kind.parent else ()
    return {**asked, **{name: listed.get(name) for name in place}}


def parent_of(child: Kind) -> Parent:
    """Where the objects of a kind that has a parent are embedded."""
    if child.parent is None:
        raise ValueError(f"{child.name} has no parent")
    return child.parent
