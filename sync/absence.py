"""What is not seen any more, and when that may be believed (design 6.2). Pure.

An absence is a suspicion. Before the objects themselves are asked, a guard asks whether so many
can really have gone: a remote that shows an empty or a wrong agent would otherwise cost a mirror.
"""

from collections.abc import Collection, Mapping

from sync.wording import in_line

_FEW = 10
_PART = 10
_ALL = 3
_LONGEST = 40

SOME = 5
"""How many of what is absent are named."""


def is_suspicious(absent: int, there: int) -> bool:
    """Are too many objects absent to be taken for deleted without a human's word?

    Args:
        absent: how many objects of a kind and source were not seen.
        there: how many of them the mirror has.
    """
    if absent == there:
        return absent >= _ALL
    return absent > _FEW and absent * _PART > there


class Acceptance:
    """The deletions that a human has agreed to: {kind: their exact number}, each for one source."""

    def __init__(self, numbers: Mapping[str, int]) -> None:
        self._left = dict(numbers)
        self._refused: set[str] = set()

    def take(self, kind: str, absent: int) -> bool:
        """Was this agreed to? It is used up by the first source that it fits."""
        if self._left.get(kind) != absent:
            self._refused.add(kind)
            return False
        del self._left[kind]
        return True

    def unasked(self) -> dict[str, int]:
        """All that was agreed to although nobody asked; what did not fit was told of as it was."""
        return {kind: n for kind, n in self._left.items() if kind not in self._refused}

    def number(self, kind: str) -> int | None:
        """What is agreed to and not used up."""
        return self._left.get(kind)


def held_back(kind: str, absent: int, there: int, agreed: int | None, some: Collection[str]) -> str:
    """What is told of absences that are too many, and what to do if they are right.

    Args:
        kind: of what is absent.
        absent: how many.
        there: of how many.
        agreed: how many a human expected, or None.
        some: what a few of them are called.
    """
    doubt = "too many to believe" if agreed is None else f"and not {agreed}, as you said"
    return (
        f"{absent} of {there} are not there any more ({_told(some, absent)}), {doubt};"
        " so this does not count as complete."
        f" If they are really gone: --accept-deletions {kind}={absent}"
    )


def too_many(kind: str, number: int, there: int, agreed: int | None, some: Collection[str]) -> str:
    """What is told of deletions that a restore would make, but not without a human's word.

    Args:
        kind: of what would be deleted.
        number: how many.
        there: of how many.
        agreed: how many a human expected, or None.
        some: what a few of them are called.
    """
    doubt = "too many without your word" if agreed is None else f"and not {agreed}, as you said"
    return (
        f"{number} of {there} would be deleted ({_told(some, number)}), {doubt}."
        f" If that is right: --accept-deletions {kind}={number}"
    )


def _told(some: Collection[str], number: int) -> str:
    names = [in_line(each, _LONGEST) for each in some]
    return ", ".join([*names, "…"] if number > len(names) else names)
