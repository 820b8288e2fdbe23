"""Which live object each wanted one is. Pure.

Objects are matched by their keys, followed through what earlier restores made of them, and else by
their natural identity.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any

from sync.document import Document
from sync.kind import Ident, Kind
from sync.lives import follow
from sync.refs import Objects


def match(
    wanted: Objects,
    live: Objects,
    kinds: Mapping[str, Kind],
    successors: Mapping[Ident, str],
    theirs: Collection[Ident] = (),
) -> dict[Ident, str]:
    """Which live object each wanted one is: {wanted ident: live key}, no live key twice.

    Its own key is the best proof, what an earlier restore made of it the next, and its natural
    identity the last. What is another's (`theirs`) may be the same one as what is wanted itself: a
    copy of it, to which somebody refers.
    """
    mine = [ident for ident in wanted if ident not in theirs] if theirs else wanted
    matches = {ident: ident[1] for ident in mine if ident in live}
    claimed = set(matches)
    for ident in [each for each in mine if each not in matches]:
        key = follow(ident, successors, live)
        if (ident[0], key) in live and (ident[0], key) not in claimed:
            matches[ident] = key
            claimed.add((ident[0], key))
    for ident in theirs:
        key = ident[1] if ident in live else follow(ident, successors, live)
        if (ident[0], key) in live:
            matches[ident] = key
            claimed.add((ident[0], key))
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


def _natural(kind: Kind, document: Document) -> tuple[Any, ...] | None:
    if kind.limits(document).no_create and not kind.key_given:
        # What the remote makes, it makes once in each Memori.
        return (kind.name,)
    values = tuple(document.get(name) for name in kind.twin)
    sort = tuple(document.get(name) for name in sorted(kind.create_only))
    return (kind.name, *sort, *values) if values and all(values) else None
