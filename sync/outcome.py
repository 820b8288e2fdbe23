"""What a snapshot, and each kind in it, is worth. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sync.kind import Kind
from sync.mirror.values import KindResult, Status, Tally

SOME_FILES = 20
"""How many files that are not there a run names."""


@dataclass(frozen=True)
class FileTrouble:
    """A file that could not be had.

    Attributes:
        source: the name of the one that refers to it.
        outcome: `missing`, `failed` or `left_out`.
    """

    source: str
    key: str
    outcome: str
    why: str


class LeftOut:
    """Files that the owner goes on without, called as a run tells them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)
        self._unmet = set(self._names)

    def has(self, *names: str) -> bool:
        """Is a file meant that is called so?"""
        found = self._names.intersection(names)
        self._unmet -= found
        return bool(found)

    def unmet(self) -> list[str]:
        """What no file was called that was asked about."""
        return sorted(self._unmet)


@dataclass
class FileTroubles:
    """The first files that could not be had, news before what was known to be missing."""

    _news: list[FileTrouble] = field(default_factory=list)
    _known: list[FileTrouble] = field(default_factory=list)

    def note(self, trouble: FileTrouble, *, is_news: bool) -> None:
        """Note one, if there is room for it."""
        noted = self._news if is_news else self._known
        if len(noted) < SOME_FILES:
            noted.append(trouble)

    def first(self) -> list[FileTrouble]:
        """Those to be told."""
        return [*self._news, *self._known][:SOME_FILES]


def kind_status(listed: int, why: str) -> Status:
    """How far the listing of a kind can be trusted.

    Args:
        listed: how many objects were seen.
        why: what went wrong, or "".
    """
    if not why:
        return Status.COMPLETE
    return Status.INCOMPLETE if listed else Status.FAILED


def results_of(
    family: Sequence[Kind], tallies: Mapping[str, Tally], why: str, held: Mapping[str, str]
) -> dict[str, KindResult]:
    """How a kind and its children went.

    Args:
        family: the parent first: children share its lot.
        tallies: {kind: what came of it}.
        why: what went wrong with the listing, or "".
        held: {kind: why not all of its absences were believed}.

    Returns:
        {kind: its result}.
    """
    listed = tallies[family[0].name].listed
    results = {}
    for kind in family:
        error = why or held.get(kind.name, "")
        status = Status.INCOMPLETE if kind.name in held else kind_status(listed, error)
        results[kind.name] = KindResult(status, tallies[kind.name], error or None)
    return results


def snapshot_status(kinds: Collection[Status], error: str | None, failed_files: int) -> Status:
    """How far a snapshot can be trusted; files that are not there do not count against it.

    Args:
        kinds: how far each of its kinds can be.
        error: what ended it early, if anything did.
        failed_files: how many files could not be fetched.
    """
    if error and not kinds:
        return Status.FAILED
    is_whole = all(each is Status.COMPLETE for each in kinds)
    return Status.COMPLETE if is_whole and not error and not failed_files else Status.INCOMPLETE
