"""Taking one snapshot: the view of one source, kind by kind, then its files (design 6).

What was seen is committed whatever else fails. What is not seen any more is written as deleted
only after a listing that proved to be whole, and only when the object itself is not found.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self

import structlog

from sync.absence import SOME, held_back, is_suspicious
from sync.api.paging import Arrival, Listing
from sync.api.remote import Access, accept
from sync.batches import batches
from sync.document import Document
from sync.errors import (
    AccessDenied,
    AccountRefused,
    BadAnswer,
    CredentialGone,
    Interrupted,
    Refused,
    RemoteError,
    SyncError,
)
from sync.kind import Kind, adopt, children, cut_out, in_place, parent_of
from sync.mirror.values import KindResult, Source, Status, Tally
from sync.open_run import OpenRun
from sync.outcome import results_of, snapshot_status
from sync.snapshot_files import SnapshotFiles
from sync.wording import counted

PARTIAL = 3
GUARDED = 6
_ASKED = 256
"""How many absent objects are held in memory and asked for before what came of it is noted."""


class OpenSnapshot:
    """A snapshot while it is being taken; leaving the context closes it with its outcome.

    Attributes:
        id: of the snapshot, once the context is entered.
        exit_codes: what went wrong so far means these for the end of the run.
    """

    def __init__(self, run: OpenRun, source: Source) -> None:
        self.id = 0
        self.exit_codes: list[int] = []
        self._run = run
        self._source = source
        self._kinds = [kind for kind in run.kinds.values() if kind.scope is source.scope]
        self._statuses: dict[str, Status] = {}
        self._not_shown: dict[str, str] = {}
        self._error: str | None = None
        self._told: set[tuple[str, str]] = set()
        self._stack = ExitStack()
        self._log = structlog.get_logger("backup").bind(source=source.name)

    def __enter__(self) -> Self:
        run = self._run
        try:
            with run.mirror.stop.shield():
                self.id = run.mirror.start_snapshot(self._source, run.run_id, run.reason)
                staging = run.mirror.staging(self._source, self.id)
                self._staging = self._stack.enter_context(staging)
                self._files = SnapshotFiles(run, self._source, self._staging)
        except Interrupted as error:
            self.__exit__(None, error, None)
            raise
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        with self._run.mirror.stop.shield(), self._stack:
            if error is None:
                failed = self._files.counts.failed
                self._finish(snapshot_status(self._statuses.values(), self._error, failed))
                return
            self._error = str(error)
            with suppress(SyncError):
                is_stop = isinstance(error, Interrupted)
                self._finish(Status.INTERRUPTED if is_stop else Status.FAILED)

    def fail(self, error: RemoteError) -> None:
        """Note that the source could not be listed at all, or no further."""
        self._error = str(error)
        self._note(error)
        self._log.error("source.failed", why=str(error), hint=error.hint)

    def list_kinds(self, access: Access) -> None:
        """List every kind, commit what was seen, then note which files it refers to."""
        for kind in self._kinds:
            if kind.parent is None:
                self._list_kind(access, kind)
        for kind in self._run.referring.values():
            if kind.scope is self._source.scope:
                self._files.note(kind)

    def fetch_files(
        self,
        access: Access,
        owner: str | None = None,
        left_alone: Collection[str] = (),
        missed: Collection[str] = (),
    ) -> None:
        """Fetch the files noted so far; arguments as for `SnapshotFiles.fetch`."""
        self._files.fetch(access, owner, left_alone, missed)
        if number := self._files.missed:
            self._error = f"not fetched: {counted(number, 'file')} of Memoris that were left out"

    def _list_kind(self, access: Access, kind: Kind) -> None:
        family = (kind, *children(kind, self._run.kinds))
        listing = Listing(access, kind, self._run.means.page_size, self._run.means.concurrency)
        held: dict[str, str] = {}

        def take(arrival: Arrival) -> int:
            self._run.watch(self._source.name, kind.name, arrival.received, arrival.count)
            return self._record(access, kind, arrival.documents, arrival.pass_number)

        try:
            why = listing.read(take)
            if why:
                self.exit_codes.append(PARTIAL)
            else:
                held = self._settle_absences(access, lambda: listing.read(take), family)
        except (AccountRefused, Interrupted) as error:
            self._conclude(family, str(error))
            raise
        except RemoteError as error:
            why = str(error)
            self._note(error)
        self._conclude(family, why, held)

    def _record(
        self, access: Access, kind: Kind, documents: Sequence[Document], pass_number: int = 0
    ) -> int:
        """Stage objects, and the children embedded in them; returns how many were new.

        Raises:
            BadAnswer: children came twice in a pass; all that came is staged.
        """
        doubled: list[str] = []
        for child in children(kind, self._run.kinds):
            documents, found = self._cut_out(access, kind, child, documents)
            self._tell_undeclared(child, found)
            new = self._staging.record(child, found, pass_number)
            if pass_number and new < len(found):
                doubled.append(f"only {new} of {len(found)} {child.name} keys were distinct")
        self._tell_undeclared(kind, documents)
        new = self._staging.record(kind, documents, pass_number)
        if doubled:
            raise BadAnswer("; ".join(doubled))
        return new

    def _cut_out(
        self, access: Access, kind: Kind, child: Kind, documents: Sequence[Document]
    ) -> tuple[list[Document], list[Document]]:
        """Parents without their children, and the children.

        Those of a parent that does not show them stay as they were, and keep no other's from
        being seen.
        """
        parents, found, closed = [], [], set()
        for document in documents:
            parent, embedded = cut_out(document, child)
            parents.append(parent)
            key = kind.key_of(parent)
            try:
                if embedded is None:
                    embedded = access.unpaged(child, parent).documents
                found += [accept(child, each) for each in adopt(embedded, child, key)]
            except (BadAnswer, Refused) as error:
                if isinstance(error, AccountRefused | CredentialGone):
                    raise
                closed.add(key)
                self._note_not_shown(kind, child, parent, error)
        if closed:
            known = self._run.mirror.documents(self._source, child)
            found += [each for each in known if each.get(parent_of(child).key) in closed]
        return parents, found

    def _note_not_shown(
        self, kind: Kind, child: Kind, parent: Document, error: RemoteError
    ) -> None:
        """Note that a parent does not show its children; of a Memori left out that is no matter."""
        key = kind.key_of(parent)
        self._log.warning("children.not_shown", kind=child.name, parent=key, why=str(error))
        if parent.get("memoriID") not in self._run.others:
            named = f"of the {kind.name} {kind.name_of(parent) or key}"
            self._not_shown.setdefault(child.name, f"{named} none are shown: {error}")
            self._note(error)

    def _settle_absences(
        self, access: Access, list_again: Callable[[], str], family: Sequence[Kind]
    ) -> dict[str, str]:
        """Find out what became of what was not seen (design 6.2).

        Args:
            access: of the source.
            list_again: reads the listing once more; returns why it is no proof, or "".
            family: a kind and its children.

        Returns:
            {kind: why none of its absences was written}; children share their parent's lot.
        """
        held: dict[str, str] = {}
        for kind in family:
            absent, there = self._staging.count_missing(kind)
            is_too_much = self._run.is_guarded and is_suspicious(absent, there)
            if kind.parent and kind.parent.kind in held:
                held[kind.name] = f"held back with {kind.parent.kind}"
            elif is_too_much and not self._run.accepted.take(kind.name, absent):
                held[kind.name] = held_back(
                    kind.name,
                    absent,
                    there,
                    agreed=self._run.accepted.number(kind.name),
                    some=self._staging.name_missing(kind, SOME),
                )
                self.exit_codes.append(GUARDED)
            elif kind.get:
                self._ask_each(access, kind)
            elif self._staging.has_absent(kind) and (doubt := list_again()):
                held[kind.name] = doubt
                self.exit_codes.append(PARTIAL)
            else:
                for document in self._staging.absent(kind):
                    self._staging.note_gone(kind, kind.key_of(document))
        return held

    def _ask_each(self, access: Access, kind: Kind) -> None:
        """Ask the absent objects themselves, side by side; what lives is mirrored from that."""
        for batch in batches(self._staging.absent(kind), _ASKED):
            for document, live in zip(batch, access.find(kind, batch), strict=True):
                if live is None:
                    self._staging.note_gone(kind, kind.key_of(document))
                else:
                    self._record(access, kind, [in_place(kind, live, document)])

    def _conclude(
        self, family: Sequence[Kind], why: str, held: Mapping[str, str] | None = None
    ) -> None:
        """Commit what was seen of a kind and its children, with how far it can be trusted."""
        with self._run.mirror.stop.shield():
            self._commit(family, why, held or {})

    def _commit(self, family: Sequence[Kind], why: str, held: Mapping[str, str]) -> None:
        def judge(tallies: Mapping[str, Tally]) -> dict[str, KindResult]:
            return results_of(family, tallies, why, {**self._not_shown, **held})

        for name, result in judge(self._staging.commit(family, judge)).items():
            self._statuses[name] = result.status
            self._log.info("kind.listed", kind=name, status=result.status, **vars(result.tally))
            if result.error:
                self._log.warning("kind.not_complete", kind=name, why=result.error)

    def _finish(self, status: Status) -> None:
        if self._files.is_partial:
            self.exit_codes.append(PARTIAL)
        self._files.settle()
        files = self._files.counts
        self._run.mirror.finish_snapshot(self.id, status, files, self._error)
        self._log.info("snapshot.finished", status=status, **vars(files))

    def _note(self, error: SyncError) -> None:
        denied = isinstance(error, AccessDenied)
        self.exit_codes.append(error.exit_code if denied else PARTIAL)

    def _tell_undeclared(self, kind: Kind, documents: Sequence[Document]) -> None:
        for document in documents:
            for name in kind.undeclared(document):
                if (kind.name, name) not in self._told:
                    self._told.add((kind.name, name))
                    self._log.warning("field.unknown", kind=kind.name, field=name)
