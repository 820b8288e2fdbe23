"""Prune: forgetting on purpose. Runs that no policy keeps, then files that nothing refers to.

The order is what makes it safe: what is forgotten is committed durably before the first file is
removed, and every step leaves a mirror that holds. A prune that was cut is gone on with by the
next one.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo

from sync.check import HINT
from sync.claim import check_owner, claim
from sync.errors import DamageFound, StorageError, UsageError
from sync.files import FileStore, Stored
from sync.kinds.file import FILE
from sync.mirror import audit
from sync.mirror.forget import Forgetting, forgetting, needed_by_restores, sights
from sync.mirror.mirror import Mirror
from sync.retention import Policy, Sight, decide
from sync.watch import Watch
from sync.wording import counted

_YOUNG = timedelta(days=1)
"""What is younger is no file too many yet, whatever refers to it."""
_NAME = "prune"


@dataclass(frozen=True)
class Run:
    """One run, and what becomes of it.

    Attributes:
        snapshots: ids of all of it.
        started_at: of the first.
        reasons: why it is kept; none if it is not.
    """

    id: int
    snapshots: tuple[int, ...]
    started_at: datetime
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pruned:
    """What a prune came to, or would come to.

    Attributes:
        kept, forgotten: runs, oldest first; not those that were forgotten before.
        changes: how many versions of objects are forgotten.
        files: how many files are removed.
        bytes: of those files; the database keeps its size and uses what is free in it again.
    """

    kept: tuple[Run, ...]
    forgotten: tuple[Run, ...]
    changes: int
    files: int
    bytes: int


def look(
    mirror: Mirror,
    store: FileStore,
    policy: Policy,
    zone: tzinfo | None = None,
) -> Pruned:
    """Tell what a prune would come to now; changes nothing, and needs no lock.

    Args:
        mirror: to look at.
        store: its files.
        policy: what is kept.
        zone: whose hours and days count; None for the machine's.

    Raises:
        UsageError: the policy says nothing.
        DamageFound: history does not say which files are needed.
        StorageError: the folder of the files is not the mirror's.
    """
    with ExitStack() as stack:
        return _Work(mirror, store, policy, zone, stack).found


def prune(
    mirror: Mirror,
    store: FileStore,
    policy: Policy,
    watch: Watch,
    zone: tzinfo | None = None,
) -> Pruned:
    """Forget what no policy keeps.

    Args:
        mirror: locked against other writers.
        store: its files.
        policy: what is kept.
        watch: told of progress.
        zone: whose hours and days count; None for the machine's.

    Raises:
        UsageError, DamageFound: as `look`; nothing was forgotten.
        StorageError, Interrupted: the next prune goes on from here.
    """
    with ExitStack() as stack:
        work = _Work(mirror, store, policy, zone, stack)
        claim(mirror, store)
        return work.carry_out(watch)


class _Work:
    """A prune that is prepared: what would go is found.

    Attributes:
        found: what it would come to.
    """

    def __init__(
        self,
        mirror: Mirror,
        store: FileStore,
        policy: Policy,
        zone: tzinfo | None,
        stack: ExitStack,
    ) -> None:
        if policy.is_empty:
            raise UsageError(
                "nothing says what is kept, so nothing is forgotten",
                "add [prune] to the settings, or for example --keep-daily 30",
            )
        self._store = store
        now = datetime.now(UTC)
        self._before_s = (now - _YOUNG).timestamp()
        _check_files(mirror, store)
        seen = sights(mirror)
        decision = decide(seen, policy, now, zone, needed_by_restores(mirror))
        kept = [(each.source_id, each.id) for each in seen if each.run_id in decision.kept]
        self._forgetting: Forgetting = stack.enter_context(forgetting(mirror, kept))
        files, size_bytes = self._measure()
        runs = _runs(seen)
        self.found = Pruned(
            tuple(replace(runs[each], reasons=why) for each, why in decision.kept.items()),
            tuple(runs[each] for each in decision.forgotten),
            self._forgetting.changes,
            files,
            size_bytes,
        )

    def carry_out(self, watch: Watch) -> Pruned:
        """Forget it, then remove the files."""
        found = self.found
        self._forgetting.mark([each.id for each in found.forgotten])
        changes = 0
        for changes in self._forgetting.remove():
            watch(_NAME, "changes", changes, found.changes)
        files = size_bytes = 0
        # Asked again, of what history holds by now.
        self._forgetting.count_needed()
        for part in self._store.stored():
            old = self._old(part)
            with self._forgetting.free_of(old) as free:
                for sha256 in free:
                    self._store.remove(sha256)
                    files += 1
                    size_bytes += part[sha256].size_bytes
            watch(_NAME, "files", files, found.files)
        return Pruned(found.kept, found.forgotten, changes, files, size_bytes)

    def _measure(self) -> tuple[int, int]:
        """How many files nothing will refer to, and how many bytes they have.

        Raises:
            StorageError: none that is needed is there, but others are: they are another mirror's,
                or its database is.
        """
        number = self._forgetting.count_needed()
        is_ours = not number and self._forgetting.knows_files
        files = size_bytes = 0
        for part in self._store.stored():
            needed = self._forgetting.needed_of(part)
            is_ours = is_ours or bool(needed)
            going = [part[each].size_bytes for each in self._old(part) if each not in needed]
            files += len(going)
            size_bytes += sum(going)
        if files and not is_ours:
            raise StorageError(
                f"{self._store.root} holds {counted(files, 'file')} that this mirror does not know,"
                " and none of its own: nothing was forgotten",
                "check `database` and `files` in [storage]: do they belong together?",
            )
        return files, size_bytes

    def _old(self, part: Mapping[str, Stored]) -> list[str]:
        return [name for name, each in part.items() if each.written_at_s < self._before_s]


def _check_files(mirror: Mirror, store: FileStore) -> None:
    """Make sure that it can be told which files are needed."""
    if store.is_missing():
        raise StorageError(f"the folder {store.root} is not there: nothing was forgotten", HINT)
    check_owner(mirror, store)
    bad = next(audit.bad_versions(mirror, FILE), None)
    if bad is not None:
        raise DamageFound(
            f"history does not say any more which bytes the file {bad[1]} had:"
            " nothing was forgotten",
            "see: aisuru-sync check, and repair",
        )


def _runs(seen: list[Sight]) -> dict[int, Run]:
    found: dict[int, list[Sight]] = {}
    for each in seen:
        found.setdefault(each.run_id, []).append(each)
    return {
        run_id: Run(run_id, tuple(each.id for each in mine), min(each.started_at for each in mine))
        for run_id, mine in found.items()
    }
