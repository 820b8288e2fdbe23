"""What a restore will do: the wanted state against the live one, as ordered steps. Pure.

Objects are matched by their keys, followed through what earlier restores made of them, and else
by their natural identity. Refs and URLs are compared as they will be on the target. The order of
the steps comes from the refs between the objects; a cycle is cut at a ref that can be set later.
"""

import graphlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from sync.document import Document
from sync.field import Type
from sync.kind import Ident, Kind
from sync.link import file_refs, move_assets

CREATE, UPDATE, UPLOAD, REPLACE = "create", "update", "upload", "replace"
_NEW = "(new)"

Objects = Mapping[Ident, Document]
"""A state: every object by kind and key."""


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        op: `create`, `update`, `upload` (a file, as an asset) or `replace` (delete and create).
        ident: the wanted object, by the key it had.
        live_key: the object to change; "" for what will be made.
        document: the wanted object, with refs and URLs as they were.
        fields: {field: (live, wanted)} of what an update changes.
        left_out: fields of a create that a later update sets, to cut a cycle.
        needs: steps that must be done before, by the ident of their object.
    """

    op: str
    ident: Ident
    live_key: str
    document: Document
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    needs: frozenset[Ident] = frozenset()


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
        extras: live objects that are not wanted; they stay.
    """

    steps: tuple[Step, ...]
    losses: tuple[Loss, ...]
    matches: Mapping[Ident, str]
    extras: tuple[Ident, ...]


def plan(
    wanted: Objects,
    live: Objects,
    kinds: Mapping[str, Kind],
    successors: Mapping[Ident, str],
    stored: frozenset[str],
    chosen: Collection[Ident] | None = None,
) -> Plan:
    """Find out what turns the live state into the wanted one.

    Args:
        wanted: what shall be there, as it was.
        live: what is there.
        kinds: those that take part.
        successors: {ident: key it came back under} of earlier restores.
        stored: keys of the files whose bytes are at hand.
        chosen: only these, with their children and whatever they refer to that is missing.
    """
    matches = match(wanted, live, kinds, successors)
    included = (
        wanted.keys() if chosen is None else _with_all_they_need(chosen, wanted, matches, kinds)
    )
    steps: dict[Ident, Step] = {}
    losses: list[Loss] = []
    for ident in (each for each in wanted if each in included and each not in matches):
        step, reason = _creation(kinds[ident[0]], ident, wanted[ident], stored)
        if step:
            steps[ident] = step
        else:
            losses.append(Loss(ident, reason))
    there = _there(wanted, live, matches, steps, kinds)
    for ident in (each for each in wanted if each in included and each in matches):
        kind = kinds[ident[0]]
        now = live[kind.name, matches[ident]]
        step, reasons = _change(kind, ident, wanted[ident], now, there)
        losses += [Loss(ident, reason) for reason in reasons]
        if step:
            steps[ident] = step
    claimed = {(name, key) for (name, _), key in matches.items()}
    return Plan(
        steps=tuple(_in_order(_with_needs(steps, wanted, kinds), kinds)),
        losses=tuple(losses),
        matches=matches,
        extras=tuple(ident for ident in live if ident not in claimed),
    )


def match(
    wanted: Objects, live: Objects, kinds: Mapping[str, Kind], successors: Mapping[Ident, str]
) -> dict[Ident, str]:
    """Which live object each wanted one is: {wanted ident: live key}."""
    matches = {}
    for ident in wanted:
        key = follow(ident, successors)
        if (ident[0], key) in live:
            matches[ident] = key
    claimed = {(name, key) for (name, _), key in matches.items()}
    twins: dict[tuple[Any, ...], list[str]] = {}
    for ident, document in live.items():
        if ident not in claimed and (natural := _natural(kinds[ident[0]], document)):
            twins.setdefault(natural, []).append(ident[1])
    lost = [ident for ident in wanted if ident not in matches]
    natural_of = {ident: _natural(kinds[ident[0]], wanted[ident]) for ident in lost}
    asked = Counter(natural_of.values())
    for ident, natural in natural_of.items():
        # Only where both sides are the only one of their sort is a twin beyond doubt.
        if natural and asked[natural] == 1 and len(twins.get(natural, ())) == 1:
            matches[ident] = twins[natural][0]
    return matches


def follow(ident: Ident, successors: Mapping[Ident, str]) -> str:
    """The key that an object has after all restores: P, P', P''."""
    name, key = ident
    seen = {key}
    while (after := successors.get((name, key))) is not None and after not in seen:
        seen.add(after)
        key = after
    return key


def _with_all_they_need(
    chosen: Collection[Ident],
    wanted: Objects,
    matches: Mapping[Ident, str],
    kinds: Mapping[str, Kind],
) -> set[Ident]:
    by_file = _by_file(wanted, kinds)
    children: dict[Ident, list[Ident]] = {}
    for ident, document in wanted.items():
        if parent := kinds[ident[0]].parent:
            children.setdefault((parent.kind, document[parent.key]), []).append(ident)
    included: set[Ident] = set()
    waiting = [ident for ident in chosen if ident in wanted]
    while waiting:
        ident = waiting.pop()
        if ident not in included:
            included.add(ident)
            refs = _refs(kinds[ident[0]], wanted[ident], by_file)
            waiting += [each for each in refs if each in wanted and each not in matches]
            waiting += children.get(ident, ())
    return included


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


def is_file(kind: Kind) -> bool:
    """Are the objects of this kind files themselves, made by uploading?"""
    return any(name in kind.assigned for name in kind.files) and kind.create is not None


@dataclass(frozen=True)
class _There:
    """Where the objects and files that documents refer to are, or will be.

    Attributes:
        keys: {wanted ident: key on the target}.
        urls: {key of a file: URL on the target}, where it is not the one it had.
    """

    keys: Mapping[Ident, str]
    urls: Mapping[str, str]


def _there(
    wanted: Objects,
    live: Objects,
    matches: Mapping[Ident, str],
    made: Collection[Ident],
    kinds: Mapping[str, Kind],
) -> _There:
    """What is to be made has no key yet, but surely another one than it had."""
    files = _by_file({ident: wanted[ident] for ident in made}, kinds)
    return _There(
        keys={**matches, **{ident: f"{_NEW} {ident[1]}" for ident in made}},
        urls={
            **moved_urls(wanted, live, matches, kinds),
            **{key: f"{_NEW} {key}" for key in files},
        },
    )


def _natural(kind: Kind, document: Document) -> tuple[Any, ...] | None:
    values = tuple(document.get(name) for name in kind.twin)
    return (kind.name, *values) if values and all(values) else None


def _change(
    kind: Kind,
    ident: Ident,
    document: Document,
    now: Document,
    there: _There,
) -> tuple[Step | None, list[str]]:
    """What makes a live object equal to the wanted one, and why some of it cannot be done."""

    def key_of(name: str, key: str) -> str:
        return there.keys.get((name, key), key)

    goal = kind.rewrite(document, key_of, lambda text: move_assets(text, there.urls))
    settled = kind.rewrite(now, lambda _, key: key, lambda text: move_assets(text, {}))
    untouched = kind.limits(document).untouched
    differ = {
        name: both
        for name, both in kind.differences(settled, goal).items()
        if (name in kind.writable or name in kind.create_only) and name not in untouched
    }
    swapped = [name for name in kind.either if name in differ]
    if len(swapped) > 1 or any(differ[name][1] is None for name in swapped):
        return Step(REPLACE, ident, there.keys[ident], document, differ), []
    emptied = {along for name in differ if differ[name][1] is None for along in _along(kind, name)}
    reasons, fields = [], {}
    for name, (old, new) in differ.items():
        if name in kind.create_only or kind.update is None:
            reasons.append(f"{name} cannot be changed")
        elif new is None and not _can_empty(kind, name) and name not in emptied:
            reasons.append(f"{name} cannot be emptied")
        else:
            fields[name] = (old, new)
    step = Step(UPDATE, ident, there.keys[ident], document, fields) if fields else None
    return step, reasons


def _creation(
    kind: Kind, ident: Ident, document: Document, stored: frozenset[str]
) -> tuple[Step | None, str]:
    """What makes an object that is not there, or why it cannot be made."""
    reason = kind.not_restorable or kind.limits(document).no_create
    if reason:
        return None, reason
    if not is_file(kind):
        return Step(CREATE, ident, "", document), ""
    refs = file_refs(document, kind.files, ())
    if not any(ref.key in stored for ref in refs):
        return None, "its file was never stored"
    return Step(UPLOAD, ident, "", document), ""


def _along(kind: Kind, name: str) -> frozenset[str]:
    return kind.clearing[name].along if name in kind.clearing else frozenset()


def _can_empty(kind: Kind, name: str) -> bool:
    return name in kind.clearing or kind.writable.get(name) is Type.JSON


def _with_needs(
    steps: Mapping[Ident, Step], wanted: Objects, kinds: Mapping[str, Kind]
) -> dict[Ident, Step]:
    """Each step with the steps that make what it refers to, and its elder brother."""
    makers = {ident for ident, step in steps.items() if step.op in (CREATE, UPLOAD)}
    by_file = _by_file({ident: wanted[ident] for ident in makers}, kinds)
    elder = _elder_brothers(steps, kinds)
    done = {}
    for ident, step in steps.items():
        needs = set(_refs(kinds[ident[0]], step.document, by_file)) & makers - {ident}
        if ident in elder:
            needs.add(elder[ident])
        done[ident] = replace(step, needs=frozenset(needs))
    return done


def _by_file(objects: Objects, kinds: Mapping[str, Kind]) -> dict[str, Ident]:
    """{key of a file: the object that is this file}."""
    return {
        ref.key: ident
        for ident, document in objects.items()
        if is_file(kinds[ident[0]])
        for ref in file_refs(document, kinds[ident[0]].files, ())
    }


def _refs(kind: Kind, document: Document, by_file: Mapping[str, Ident]) -> Iterator[Ident]:
    yield from kind.references(document)
    if by_file:
        for ref in file_refs(document, kind.files, ()):
            if ref.key in by_file:
                yield by_file[ref.key]


def _elder_brothers(steps: Mapping[Ident, Step], kinds: Mapping[str, Kind]) -> dict[Ident, Ident]:
    """{child: the one before it}: children of one parent are made in the order they had."""
    families: dict[tuple[str, Any], list[tuple[int, Ident]]] = {}
    for ident, step in steps.items():
        parent = kinds[ident[0]].parent
        if parent and step.op in (CREATE, REPLACE):
            place = (step.document.get(parent.position) or 0, ident)
            families.setdefault((ident[0], step.document.get(parent.key)), []).append(place)
    return {
        younger: elder
        for family in families.values()
        for (_, elder), (_, younger) in pairwise(sorted(family))
    }


def _in_order(steps: dict[Ident, Step], kinds: Mapping[str, Kind]) -> Iterator[Step]:
    """The steps so that each comes after what it needs; cycles are cut where a ref can wait."""
    place = {name: number for number, name in enumerate(kinds)}
    steps = dict(steps)
    late: list[Step] = []
    while True:
        sorter = graphlib.TopologicalSorter({ident: each.needs for ident, each in steps.items()})
        try:
            sorter.prepare()
            break
        except graphlib.CycleError as error:
            late.append(_cut(steps, error.args[1], kinds))
    while sorter.is_active():
        ready = sorter.get_ready()
        for ident in sorted(ready, key=lambda each: (place[each[0]], _natural_order(each[1]))):
            yield steps[ident]
        sorter.done(*ready)
    yield from late


def _natural_order(key: str) -> tuple[str, int, str]:
    """`HELLO_2` before `HELLO_10`: a remote numbers sets as their keys come."""
    stem, _, number = key.rpartition("_")
    return (stem, int(number), "") if number.isdecimal() else (key, 0, "")


def _cut(steps: dict[Ident, Step], cycle: list[Ident], kinds: Mapping[str, Kind]) -> Step:
    """Cut a cycle: make an object without a ref, and give the step that sets it later."""
    for needed, ident in pairwise(cycle):
        step = steps[ident]
        kind = kinds[ident[0]]
        required = kind.parent.key if kind.parent else ""
        files = _by_file({needed: steps[needed].document}, kinds)
        fields = {
            name
            for name, value in step.document.items()
            if name in kind.writable
            and name != required
            and _mentions(kind, name, value, needed, files)
        }
        if fields and step.op == CREATE:
            optional = {ref.path for ref in kind.refs} & fields
            steps[ident] = replace(
                step, needs=step.needs - {needed}, left_out=step.left_out | optional
            )
            changes = {name: (None, step.document[name]) for name in sorted(fields)}
            return Step(UPDATE, ident, "", step.document, changes, needs=frozenset({ident, needed}))
    raise ValueError(f"a cycle that nothing can cut: {cycle}")


def _mentions(kind: Kind, name: str, value: Any, needed: Ident, files: Collection[str]) -> bool:
    """Does a field refer to an object, by its key or by the URL of its file?"""
    by_key = any(ref.path == name and (ref.kind, value) == needed for ref in kind.refs)
    return by_key or any(ref.key in files for ref in file_refs({name: value}, (), ()))
