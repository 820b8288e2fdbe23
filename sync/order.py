"""Steps of a restore, and the order that the refs between their objects ask for. Pure.

What an object refers to is made first; children of one parent are made one after another. A cycle
is cut at a ref that can be set later: the object is made without it, and updated at the end.
What does not hang together can be done side by side.
"""

import graphlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

from sync.document import Document
from sync.kind import Ident, Kind
from sync.link import file_refs
from sync.refs import Objects, by_file, refs_of

CREATE, UPDATE, UPLOAD, REPLACE, DELETE = "create", "update", "upload", "replace", "delete"


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        op: `create`, `update`, `upload` (a file, as an asset), `replace` (delete and create) or
            `delete`.
        ident: the wanted object, by the key it had; of a delete, the live one.
        live_key: the object to change; "" for what will be made.
        document: the wanted object, with refs and URLs as they were; of a delete, the live one.
        fields: {field: (live, wanted)} of what an update changes.
        left_out: fields of a create that a later update sets, to cut a cycle.
        needs: steps that must be done before, by the ident of their object.
        after: a step that is tried before, whether it is done or not.
    """

    op: str
    ident: Ident
    live_key: str
    document: Document
    fields: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    needs: frozenset[Ident] = frozenset()
    after: frozenset[Ident] = frozenset()


def in_order(steps: Mapping[Ident, Step], kinds: Mapping[str, Kind]) -> Iterator[Step]:
    """The steps so that each comes after what it needs."""
    yield from _sorted(_with_needs(steps, kinds), kinds)


def waits(steps: Sequence[Step], kinds: Mapping[str, Kind]) -> dict[int, set[int]]:
    """Find out which steps each one has to wait for, by their places in the order.

    Those of one family come one after another, and deletions last, each by itself. All others need
    only what makes the objects that they refer to, or may name.
    """
    makers: dict[Ident, int] = {}
    latest: dict[Any, int] = {}
    of_kind: dict[str, list[int]] = {}
    waiting: dict[int, set[int]] = {}
    for number, step in enumerate(steps):
        kind = kinds[step.ident[0]]
        family = _family(step, kind)
        before = {makers[ident] for ident in step.needs if ident in makers}
        before.update(*(of_kind.get(name, ()) for name in kind.after))
        if family in latest:
            before.add(latest[family])
        if step.op == DELETE and number:
            before.update(range(number) if steps[number - 1].op != DELETE else {number - 1})
        waiting[number] = before
        latest[family] = number
        of_kind.setdefault(kind.name, []).append(number)
        makers.setdefault(step.ident, number)
    return waiting


def _family(step: Step, kind: Kind) -> Any:
    """What a step shares with others that the remote must see in their order.

    That is a parent with its children, and a set of keys that the remote numbers as they come.
    """
    if kind.parent:
        return kind.parent.kind, step.document.get(kind.parent.key)
    if kind.key_given:
        return kind.name, set_of(step.ident[1])
    return step.ident


def set_of(key: str) -> str:
    """The set that a key belongs to which the caller chose: `HELLO` of `HELLO_2`."""
    return _natural_order(key)[0]


def removals(extras: Collection[Ident], live: Objects, kinds: Mapping[str, Kind]) -> Iterator[Step]:
    """Steps that delete what is there too much, what refers to others first.

    What could not be made again stays. Children go with their parent, and stay with one that is
    too much itself but stays. The last key of a set stays: no set may become empty.

    Args:
        extras: all live objects that are not wanted.
        live: what is there.
        kinds: those whose extras go.
    """
    place = {name: number for number, name in enumerate(kinds)}
    going = []
    sets = Counter((name, set_of(key)) for name, key in live)
    for name, key in extras:
        kind, document = kinds.get(name), live[name, key]
        if kind is None or kind.delete is None or kind.limits(document).no_create:
            continue
        if kind.parent and (kind.parent.kind, document.get(kind.parent.key)) in extras:
            continue
        going.append((place[name], _natural_order(key), name, key))
    # The last of a set goes first, or the remote would give its index to another one.
    for _, _, name, key in sorted(going, reverse=True):
        sets[name, set_of(key)] -= 1
        if sets[name, set_of(key)] or not kinds[name].key_given:
            yield Step(DELETE, (name, key), key, live[name, key])


def _with_needs(steps: Mapping[Ident, Step], kinds: Mapping[str, Kind]) -> dict[Ident, Step]:
    """Each step with the steps that make what it refers to, and its elder brother."""
    makers = {ident for ident, step in steps.items() if step.op in (CREATE, UPLOAD)}
    files = by_file({ident: steps[ident].document for ident in makers}, kinds)
    elder = _elder_brothers(steps, kinds)
    done = {}
    for ident, step in steps.items():
        needs = set(refs_of(kinds[ident[0]], step.document, files)) & makers - {ident}
        after = {elder[ident]} if ident in elder else set()
        done[ident] = replace(step, needs=frozenset(needs), after=frozenset(after))
    return done


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


def _sorted(steps: dict[Ident, Step], kinds: Mapping[str, Kind]) -> Iterator[Step]:
    """The steps so that each comes after what it needs; cycles are cut where a ref can wait."""
    place = {name: number for number, name in enumerate(kinds)}
    steps = dict(steps)
    late: list[Step] = []
    while True:
        sorter = graphlib.TopologicalSorter(_graph(steps, kinds))
        try:
            sorter.prepare()
            break
        except graphlib.CycleError as error:
            late.append(_cut(steps, error.args[1], kinds))
    while sorter.is_active():
        ready = sorter.get_ready()
        real = [ident for ident in ready if ident in steps]
        for ident in sorted(real, key=lambda each: (place[each[0]], _natural_order(each[1]))):
            yield steps[ident]
        sorter.done(*ready)
    yield from late


def _graph(steps: Mapping[Ident, Step], kinds: Mapping[str, Kind]) -> dict[Ident, set[Ident]]:
    """What each step comes after; what may be named in a text is one node for all of its kind."""
    graph = {
        ident: {*step.needs, *step.after, *(("all", name) for name in kinds[ident[0]].after)}
        for ident, step in steps.items()
    }
    for name in {name for each in kinds.values() for name in each.after}:
        graph["all", name] = {ident for ident in steps if ident[0] == name}
    return graph


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
        files = by_file({needed: steps[needed].document}, kinds)
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
