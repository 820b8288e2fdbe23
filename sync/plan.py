"""What a restore will do: the wanted state against the live one, as ordered steps. Pure.

Objects are matched by `match`; refs and URLs are compared as they will be on the target.
"""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sync.document import Document, map_texts
from sync.field import Type
from sync.kind import Ident, Kind
from sync.link import mentions_files, move_assets
from sync.lives import follow, moved_urls
from sync.match import match
from sync.order import CREATE, REPLACE, UPDATE, UPLOAD, Step, in_order, removals, set_of
from sync.recreate import disorders, made_in_order, needed, obstacle
from sync.refs import Objects, by_file, files_of, is_file, refs_of

_NEW = "(new)"


@dataclass(frozen=True)
class Loss:
    """Something that cannot come back, and why."""

    ident: Ident
    reason: str


@dataclass(frozen=True)
class Plan:
    """What to do, in order, and what cannot be done.

    Attributes:
        matches: {wanted ident: key of the live object that it is}.
        extras: live objects that are not wanted.
    """

    steps: tuple[Step, ...]
    losses: tuple[Loss, ...]
    matches: Mapping[Ident, str]
    extras: tuple[Ident, ...]


@dataclass(frozen=True)
class Terms:
    """What a plan may do.

    Attributes:
        chosen: only these come back, with their children and whatever they refer to that is
            missing; None for all.
        only_made: these are made if they are missing, but never changed: they are another's.
        damaged: what was there, but is not known any more: nothing is done to it.
        surplus: kinds whose live objects are deleted if they are not wanted.
        recreate: what an update cannot bring back is deleted and created again, if nothing can get
            lost by that.
    """

    chosen: Collection[Ident] | None = None
    only_made: Collection[Ident] = ()
    damaged: Collection[Ident] = ()
    surplus: Collection[str] = ()
    recreate: bool = False

    def takes(self, ident: Ident) -> bool:
        """Is an object meant, by itself?"""
        return self.chosen is None or ident in self.chosen


ALL = Terms()
"""All that is wanted comes back, and nothing goes."""


def plan(
    wanted: Objects,
    live: Objects,
    kinds: Mapping[str, Kind],
    successors: Mapping[Ident, str],
    stored: frozenset[str],
    terms: Terms = ALL,
) -> Plan:
    """Find out what turns the live state into the wanted one.

    Args:
        wanted: what shall be there, as it was.
        live: what is there.
        kinds: those that take part.
        successors: {ident: key it came back under} of earlier restores.
        stored: keys of the files whose bytes are at hand.
        terms: what it may do.
    """
    matches = match(wanted, live, kinds, successors, terms.only_made)
    included = _included(terms.chosen, wanted, matches, kinds)
    lost = _lost(wanted, matches, kinds, stored, live)
    case = _Case(wanted, live, kinds, matches, lost)
    made = list(case.creations(each for each in included if each not in matches))
    steps = {step.ident: step for step, _ in made if step}
    where = _whereabouts(wanted, live, matches, steps, kinds)
    there = (each for each in included if each in matches and each not in terms.only_made)
    changed = list(case.changes(there, where, recreate=terms.recreate))
    steps |= {step.ident: step for step, _ in changed if step}
    losses = [loss for _, losses in (*made, *changed) for loss in losses]
    for parent, family in list(disorders(wanted, live, matches, steps, included, kinds)):
        again = (
            made_in_order(family, wanted, live, matches, steps, kinds) if terms.recreate else None
        )
        if again is None:
            losses.append(Loss(parent, f"the order of its {len(family)} media cannot be restored"))
        steps |= again or {}
    reason = "what is stored of it is damaged, see: aisuru-sync check"
    losses += [Loss(ident, reason) for ident in sorted(terms.damaged) if terms.takes(ident)]
    known = {**matches, **{ident: follow(ident, successors, live) for ident in terms.damaged}}
    claimed = {(name, key) for (name, _), key in known.items()}
    extras = {ident: None for ident in live if ident not in claimed}
    going = {name: kind for name, kind in kinds.items() if name in terms.surplus}
    return Plan(
        steps=(*in_order(steps, kinds), *removals(extras, live, going)),
        losses=tuple(losses),
        matches=matches,
        extras=tuple(extras),
    )


_Outcome = tuple[Step | None, list[Loss]]


@dataclass(frozen=True)
class _Case:
    """What is compared with what; `lost` is what is not there and cannot be made, and why."""

    wanted: Objects
    live: Objects
    kinds: Mapping[str, Kind]
    matches: Mapping[Ident, str]
    lost: Mapping[Ident, str]

    def creations(self, idents: Iterable[Ident]) -> Iterator[_Outcome]:
        """Make what is not there."""
        for ident in idents:
            kind, document = self.kinds[ident[0]], self.wanted[ident]
            step, reasons = _creation(kind, ident, document, self.lost, self._dangling(ident))
            yield step, [Loss(ident, reason) for reason in reasons]

    def changes(
        self, idents: Iterable[Ident], where: "_Whereabouts", *, recreate: bool
    ) -> Iterator[_Outcome]:
        """Change what is there."""
        in_use = needed((self.wanted, self.live), self.kinds) if recreate else set()
        for ident in idents:
            kind, document = self.kinds[ident[0]], self.wanted[ident]
            live_ident = (kind.name, self.matches[ident])
            now = self.live[live_ident]
            if _is_as_wanted(kind, document, now, where):
                continue
            is_needed = ident in in_use or live_ident in in_use
            again = obstacle(kind, document, now, is_needed=is_needed) if recreate else None
            dangling = self._dangling(ident)
            step, reasons = _change(kind, ident, document, now, where, dangling, again)
            yield step, [Loss(ident, reason) for reason in reasons]

    def _dangling(self, ident: Ident) -> dict[str, str]:
        """{field: why} of refs to what is not there and will not be: they would be refused."""
        document = self.wanted[ident]
        return {
            ref.path: f"{ref.path} refers to the {ref.kind} {key}, which "
            + ("cannot come back" if (ref.kind, key) in self.wanted else "was gone already")
            + (ref.without and f": {ref.without}")
            for ref in self.kinds[ident[0]].refs
            if ref.kind in self.kinds
            and isinstance(key := document.get(ref.path), str)
            and key
            and ((ref.kind, key) not in self.wanted or (ref.kind, key) in self.lost)
            and (ref.kind, key) not in self.live
        }


def _included(
    chosen: Collection[Ident] | None,
    wanted: Objects,
    matches: Mapping[Ident, str],
    kinds: Mapping[str, Kind],
) -> Collection[Ident]:
    """The chosen objects with all that they need, in the order of what is wanted."""
    if chosen is None:
        return wanted.keys()
    files = by_file(wanted, kinds)
    children: dict[Ident, list[Ident]] = {}
    for ident, document in wanted.items():
        if parent := kinds[ident[0]].parent:
            children.setdefault((parent.kind, document[parent.key]), []).append(ident)
    found: set[Ident] = set()
    waiting = [ident for ident in chosen if ident in wanted]
    while waiting:
        ident = waiting.pop()
        if ident not in found:
            found.add(ident)
            refs = refs_of(kinds[ident[0]], wanted[ident], files)
            waiting += [each for each in refs if each in wanted and each not in matches]
            waiting += children.get(ident, ())
    return {ident: None for ident in wanted if ident in found}.keys()


@dataclass(frozen=True)
class _Whereabouts:
    """Where the objects and files that documents refer to are, or will be.

    Attributes:
        keys: {wanted ident: key on the target}.
        urls: {key of a file: URL on the target}, where it is not the one it had.
    """

    keys: Mapping[Ident, str]
    urls: Mapping[str, str]


def _whereabouts(
    wanted: Objects,
    live: Objects,
    matches: Mapping[Ident, str],
    made: Collection[Ident],
    kinds: Mapping[str, Kind],
) -> _Whereabouts:
    """What is to be made has no key yet, but surely another one than it had."""
    files = by_file({ident: wanted[ident] for ident in made}, kinds)
    return _Whereabouts(
        keys={**matches, **{ident: f"{_NEW} {ident[1]}" for ident in made}},
        urls={
            **moved_urls(wanted, live, matches, kinds),
            **{key: f"{_NEW} {key}" for key in files},
        },
    )


def _is_as_wanted(kind: Kind, document: Document, now: Document, where: _Whereabouts) -> bool:
    """Is a live object the wanted one to the letter, and stays whatever it refers to?

    That is so of nearly all, and told much faster than what differs.
    """
    return (
        document == now
        and all(where.keys.get(ref, ref[1]) == ref[1] for ref in kind.references(document))
        and not (where.urls and mentions_files(document))
    )


def _change(
    kind: Kind,
    ident: Ident,
    document: Document,
    now: Document,
    where: _Whereabouts,
    dangling: Mapping[str, str],
    again: str | None,
) -> tuple[Step | None, list[str]]:
    """What makes a live object equal to the wanted one, and why some of it cannot be done.

    `again` says why it cannot be deleted and created again; None if it shall not be.
    """

    def key_of(name: str, key: str) -> str:
        return where.keys.get((name, key), key)

    goal = kind.rewrite(document, key_of, lambda text: move_assets(text, where.urls))
    settled = kind.rewrite(now, lambda _, key: key, lambda text: move_assets(text, {}))
    unsent = kind.limits(document).unsent | kind.limits(now).unsent
    differ = {
        name: both
        for name, both in kind.differences(settled, goal).items()
        if (name in kind.writable or name in kind.create_only) and name not in unsent
    }
    swapped = [name for name in kind.either if name in differ]
    if len(swapped) > 1 or any(differ[name][1] is None for name in swapped):
        return Step(REPLACE, ident, where.keys[ident], document, differ), []
    emptied = {along for name in differ if differ[name][1] is None for along in _along(kind, name)}
    reasons, stuck, fields = list(_stale(kind, document, goal, settled)), [], {}
    for name, (old, new) in differ.items():
        if name in dangling:
            reasons.append(dangling[name])
        elif name in kind.create_only or kind.update is None:
            stuck.append(f"{name} cannot be changed")
        elif new is None and not _can_empty(kind, name, old) and name not in emptied:
            stuck.append(f"{name} cannot be emptied")
        else:
            fields[name] = (old, new)
    if stuck and again == "" and not dangling:
        return Step(REPLACE, ident, where.keys[ident], document, differ), []
    step = Step(UPDATE, ident, where.keys[ident], document, fields) if fields else None
    return step, [*reasons, *(f"{each}, and {again}" if again else each for each in stuck)]


def _stale(kind: Kind, document: Document, goal: Document, settled: Document) -> Iterator[str]:
    """Fields that name a file by a URL that it has no more, and that no call can change."""
    for name in sorted(kind.assigned.keys() - set(kind.files)):
        before = map_texts(document.get(name), lambda text: move_assets(text, {}))
        if before != goal.get(name) != settled.get(name):
            yield f"{name} names a file that is at another URL now, and cannot be changed"


def _creation(
    kind: Kind,
    ident: Ident,
    document: Document,
    lost: Mapping[Ident, str],
    dangling: Mapping[str, str],
) -> tuple[Step | None, list[str]]:
    """What makes an object that is not there, and why some or all of it cannot be made."""
    reason = lost.get(ident, "")
    if kind.parent and kind.parent.key in dangling:
        reason = reason or dangling[kind.parent.key]
    if reason:
        return None, [reason]
    op = UPLOAD if is_file(kind) else CREATE
    step = Step(op, ident, "", document, left_out=frozenset(dangling))
    return step, [*dangling.values(), *lacks(kind)]


def lacks(kind: Kind) -> list[str]:
    """What any object of a kind lacks when it is made again."""
    return [f"its {name}, if it had any, is never kept" for name in sorted(kind.secret)]


def _lost(
    wanted: Objects,
    matches: Mapping[Ident, str],
    kinds: Mapping[str, Kind],
    stored: Container[str],
    live: Objects,
) -> dict[Ident, str]:
    """{ident: why} of objects that are not there and cannot be made."""
    sets = {(name, set_of(key)) for name, key in live if kinds[name].key_given}
    lost = {}
    for ident in [each for each in wanted if each not in matches]:
        kind, document = kinds[ident[0]], wanted[ident]
        reason = kind.not_restorable or kind.limits(document).no_create
        if kind.key_given and (kind.name, set_of(ident[1])) not in sets:
            reason = reason or "the agent has no such set of keys, and none can be made"
        if is_file(kind) and not any(ref.key in stored for ref in files_of(kind, document)):
            reason = reason or "its file was never stored"
        if reason:
            lost[ident] = reason
    return lost


def _along(kind: Kind, name: str) -> frozenset[str]:
    return kind.clearing[name].along if name in kind.clearing else frozenset()


def _can_empty(kind: Kind, name: str, old: Any) -> bool:
    # Empty lists and maps replace what was there (aisuru-api.md 7 and 14).
    is_container = kind.writable.get(name) is Type.JSON and isinstance(old, list | dict)
    return name in kind.clearing or is_container
