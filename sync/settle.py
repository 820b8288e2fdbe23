"""Settling what a cut restore left begun: was the call carried out? Pure (design 8.4).

The object that a call made is its *twin*: not there before that restore, made by no other step,
equal in what was sent, under the same parent. Only if there is none is the call sent again.
"""

from collections.abc import Mapping

from sync.document import Document
from sync.kind import Kind
from sync.mirror.journal import Begun


def find_twin(
    step: Begun,
    kind: Kind,
    candidates: Mapping[str, Document],
    sha256_of: Mapping[str, str],
    *,
    is_only: bool,
) -> str | None:
    """The key of the object that a begun step made, or None if it surely made none.

    Args:
        step: whose outcome is not known.
        kind: of its object.
        candidates: {key: document} of this kind, new since before that restore and untaken.
        sha256_of: {key: hash} of the files among them.
        is_only: no other step of this kind, under this parent, is open.
    """
    siblings = {
        key: document
        for key, document in candidates.items()
        if kind.parent is None or document.get(kind.parent.key) == step.parent_new_key
    }
    if step.sha256 is not None:
        siblings = {
            key: each for key, each in siblings.items() if sha256_of.get(key) == step.sha256
        }
    equal = [key for key, document in siblings.items() if _is_what_was_sent(kind, step, document)]
    if equal:
        return min(equal)
    # A remote may store what was sent in a form of its own.
    return next(iter(siblings)) if is_only and len(siblings) == 1 else None


def _is_what_was_sent(kind: Kind, step: Begun, document: Document) -> bool:
    stored = kind.matter(document)
    return all(
        stored.get(name) == value
        for name, value in kind.matter(step.sent).items()
        if name != kind.key
    )
