"""A run under way: what all the snapshots that it takes share."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from sync.absence import Acceptance
from sync.api.means import Means
from sync.files import FileStore
from sync.kind import Kind
from sync.mirror.mirror import Mirror
from sync.mirror.values import Reason
from sync.outcome import FileTroubles, LeftOut
from sync.watch import Watch


@dataclass(frozen=True)
class OpenRun:
    """What a run is limited to, and what it works with, for all its snapshots.

    Attributes:
        kinds: what the run is limited to, parents before children.
        others: ids of the account's Memoris that it is not about.
        referring: those whose documents' files are kept: of a run that covers all, also personal
            data that is held but not listed any more.
        covers_all: the run covers every kind.
        is_guarded: absences that are too many are held back, unless they are accepted.
        left_out: files that are not asked for.
    """

    run_id: int
    mirror: Mirror
    store: FileStore
    kinds: Mapping[str, Kind]
    others: Collection[str]
    referring: Mapping[str, Kind]
    covers_all: bool
    means: Means
    reason: Reason
    watch: Watch
    is_guarded: bool
    accepted: Acceptance
    left_out: LeftOut
    troubles: FileTroubles = field(default_factory=FileTroubles)
