"""What an update cannot bring back, but deleting and creating again can (design 8.3). Pure.

Nothing must get lost on the way: an object is made again only if nothing hangs on it or refers to
it, which the remote would take away or empty with it, and if all of it can be sent.
"""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import replace

from sync.document import Document
from sync.kind import Ident, Kind
from sync.order import CREATE, REPLACE, Step
from sync.refs import Objects, is_file


def obstacle(kind: Kind, document: Document, now: Document, *, is_needed: bool) -> str:
    """Why an object cannot be deleted and created again, or "".

    Args:
        kind: of the object.
        document: as it was.
        now: as it is.
        is_needed: something else refers to it, or hangs on it.
    """
    if kind.create is None or kind.delete is None or kind.key_given or is_file(kind):
        return f"no {kind.name} can be made again in its place"
    for limits in (kind.limits(document), kind.limits(now)):
        if limits.no_create or limits.unsent:
            return limits.no_create or "some of it can never be sent"
    if kind.secret:
        return "what of it is never kept would be lost"
    if is_needed:
        return "other objects belong or refer to it"
    if any(now.get(name) is not None for name in kind.undeclared(now)):
        return "it holds fields that this version does not know"
    return ""


def needed(states: Iterable[Objects], kinds: Mapping[str, Kind]) -> set[Ident]:
    """The objects that some object of these states refers to, as its parent or otherwise."""
    return {
        ref
        for objects in states
        for (name, _), document in objects.items()
        for ref in kinds[name].references(document)
    }


def disorders(
    wanted: Objects,
    live: Objects,
    matches: Mapping[Ident, str],
    steps: Mapping[Ident, Step],
    included: Container[Ident],
    kinds: Mapping[str, Kind],
) -> Iterator[tuple[Ident, list[Ident]]]:
    """Parents whose children will not be in the order they had: what is made comes at the end.

    Only those of which some are made now, or were by an earlier restore, which may have been cut:
    a mere reorder is no change, so of others the history does not know the order at a snapshot.

    Yields:
        (the parent, its children in the order they had).
    """
    families: dict[Ident, list[Ident]] = {}
    for ident, document in wanted.items():
        parent = kinds[ident[0]].parent
        if parent and ident in included and (ident in matches or ident in steps):
            families.setdefault((parent.kind, document[parent.key]), []).append(ident)

    def was(ident: Ident) -> int:
        return _position(kinds[ident[0]], wanted[ident])

    def will_be(ident: Ident) -> tuple[bool, int]:
        if _is_made(steps.get(ident)):
            return True, was(ident)
        return False, _position(kinds[ident[0]], live[ident[0], matches[ident]])

    for parent_ident, family in families.items():
        in_order = sorted(family, key=was)
        is_ours = any(_is_made(steps.get(each)) or matches[each] != each[1] for each in family)
        if is_ours and in_order != sorted(family, key=will_be):
            yield parent_ident, in_order


def made_in_order(
    family: Collection[Ident],
    wanted: Objects,
    live: Objects,
    matches: Mapping[Ident, str],
    steps: Mapping[Ident, Step],
    kinds: Mapping[str, Kind],
) -> dict[Ident, Step] | None:
    """Steps that make children again from the first one that is out of place.

    The family is all children of one parent, in the order they had.

    Returns:
        {child: its step} of those that are not made anyway; None if one cannot be made again.
    """
    last, waiting = -1, list(family)
    while waiting and not _is_made(steps.get(waiting[0])):
        name = waiting[0][0]
        place = _position(kinds[name], live[name, matches[waiting[0]]])
        if place < last:
            break
        last = place
        waiting.pop(0)
    again = {}
    for ident in (each for each in waiting if not _is_made(steps.get(each))):
        kind, key = kinds[ident[0]], matches[ident]
        if obstacle(kind, wanted[ident], live[kind.name, key], is_needed=False):
            return None
        step = steps.get(ident) or Step(REPLACE, ident, key, wanted[ident])
        again[ident] = replace(step, op=REPLACE)
    return again


def _is_made(step: Step | None) -> bool:
    return step is not None and step.op in (CREATE, REPLACE)


def _position(kind: Kind, document: Document) -> int:
    return (kind.parent and document.get(kind.parent.position)) or 0
