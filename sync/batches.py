"""Some at a time: however many there are, few are held in memory."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

_T = TypeVar("_T")


def batches(items: Iterable[_T], size: int) -> Iterator[list[_T]]:
    """Items in lists of so many; the last one may be shorter, and none is empty."""
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
