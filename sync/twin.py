"""Finding what a call made whose answer is not known: its twin. Pure (design 8.4).

The object that a call made is its *twin*: not there before that restore, made by no other step,
under the same parent, and equal in what was sent. A remote may store a text in a form of its own
(trimmed, in another letter case), so likeness does as well; but an object that is not even alike is
somebody's own, and is left alone. Only if there is no twin is the call sent again.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sync.document import Document, canonical
from sync.kind import Kind
from sync.mirror.journal import Begun


def find_twins(
    steps: Sequence[Begun],
    kind: Kind,
    candidates: Mapping[str, Document],
    sha256_of: Mapping[str, str],
) -> dict[int, str | None]:
    """Find what each of several open steps made.

    Args:
        steps: of one kind, whose outcomes are not known.
        kind: of their objects.
        candidates: {key: document} of this kind, new since before that restore and untaken.
        sha256_of: {key: hash} of the files among them.

    Returns:
        {id of the step: key of the object that it made, or None if it made none}; no key twice.
    """
    found: dict[int, str | None] = {step.id: None for step in steps}
    left = dict(candidates)
    for is_twin in (_is_equal, _is_alike):
        for step in (each for each in steps if found[each.id] is None):
            twins = [
                key
                for key, document in left.items()
                if _could_be(kind, step, document, sha256_of.get(key))
                and is_twin(kind, step, document)
            ]
            if twins:
                found[step.id] = min(twins)
                del left[min(twins)]
    return found


def _could_be(kind: Kind, step: Begun, document: Document, sha256: str | None) -> bool:
    """Is it of the right sort, under the right parent, with the right bytes?"""
    if kind.parent and document.get(kind.parent.key) != step.parent_new_key:
        return False
    if step.sha256 is not None and step.sha256 != sha256:
        return False
    return all(
        _plain(document.get(name)) == _plain(step.sent[name])
        for name in kind.create_only
        if name in step.sent
    )


def _is_equal(kind: Kind, step: Begun, document: Document) -> bool:
    stored = kind.matter(document)
    return all(stored.get(name) == value for name, value in kind.matter(step.sent).items())


def _is_alike(kind: Kind, step: Begun, document: Document) -> bool:
    name = kind.name_of(step.sent)
    if name:
        return _plain(name) == _plain(kind.name_of(document))
    return all(
        _plain(document.get(field)) == _plain(value)
        for field, value in kind.matter(step.sent).items()
    )


def _plain(value: Any) -> str:
    text = value if isinstance(value, str) else canonical(value)
    return " ".join(text.casefold().split())
