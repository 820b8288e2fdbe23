"""Taking one snapshot: the view of one source, kind by kind, then its files (design 6).

What was seen is committed whatever else fails. What is not seen any more is written as deleted
only after a listing that proved to be whole, and only when the object itself is not found.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, fields
from itertools import islice
from types import TracebackType
from typing import Self

import structlog

from sync.absence import SOME, Acceptance, held_back, is_suspicious
from sync.api.means import Means
from sync.api.paging import Arrival, Listing
from sync.api.remote import Access, accept
from sync.batches import batches
from sync.document import Document
from sync.errors import (
    AccessDenied,
    AccountRefused,
    BadAnswer,
    Interrupted,
    RemoteError,
    SyncError,
)
from sync.fetch import FAILED, LEFT_OUT, MISSING, STORED, UNASKED, Fetched, fetch, without_query
from sync.files import FileStore
from sync.kind import Kind, adopt, children, cut_out, in_place
from sync.kinds.file import FILE
from sync.link import TRACES, FileRef, file_refs
from sync.mirror.database import BATCH
from sync.mirror.mirror import Mirror
from sync.mirror.values import FileCounts, KindResult, Reason, Source, Status, Tally
from sync.outcome import FileTrouble, FileTroubles, LeftOut, results_of, snapshot_status
from sync.refs import is_file
from sync.watch import Watch
from sync.wording import counted

PARTIAL = 3
GUARDED = 6
_ASKED = 256
"""How many absent objects are held in memory and asked for before what came of it is noted."""


@dataclass(frozen=True)
class OpenRun:
    """A run under way: what all its snapshots share.

    Attributes:
        kinds: what the run is limited to, parents before children.
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
    referring: Mapping[str, Kind]
    covers_all: bool
    means: Means
    reason: Reason
    watch: Watch
    is_guarded: bool
    accepted: Acceptance
    left_out: LeftOut
    troubles: FileTroubles = field(default_factory=FileTroubles)


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
        self._files = dict.fromkeys((each.name for each in fields(FileCounts)), 0)
        self._knows_all_files = False
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
        except Interrupted as error:
            self.__exit__(None, error, None)
            raise
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        with self._run.mirror.stop.shield(), self._stack:
            if error is None:
                files = self._files[FAILED]
                self._finish(snapshot_status(self._statuses.values(), self._error, files))
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
                self._note_files(kind)

    def fetch_files(
        self,
        access: Access,
        owner: str | None = None,
        left_alone: Collection[str] = (),
        missed: Collection[str] = (),
    ) -> None:
        """Fetch the files noted so far.

        Args:
            access: the session under which the Backend gives them.
            owner: only those of this Memori; None for all that are left.
            left_alone: Memoris whose session is not open: what is known of their files stays.
            missed: those of them that are left alone this time only: a snapshot is not complete
                without their files.
        """
        run = self._run
        total = self._staging.count_unfetched(owner)
        wanted = self._wanted(owner, left_alone, missed)
        means = run.means
        fetching = fetch(
            access, run.store, wanted, means.concurrency, means.limits, run.left_out.has
        )
        documents: list[Document] = []
        with closing(fetching) as done, self._recording(documents):
            for number, fetched in enumerate(done, start=1):
                run.watch(self._source.name, FILE.name, number, total)
                documents.append(fetched.document)
                if len(documents) == BATCH:
                    self._staging.record(FILE, documents)
                    documents.clear()
                self._files["referenced"] += 1
                self._files[fetched.outcome] += 1
                self._files["bytes"] += fetched.size_bytes
                if fetched.why:
                    self._note_trouble(fetched)
        self._knows_all_files = self._run.covers_all and owner is None

    def _note_trouble(self, fetched: Fetched) -> None:
        is_news = fetched.is_new or fetched.outcome == FAILED
        if is_news:
            self.exit_codes.append(PARTIAL)
        key = without_query(FILE.key_of(fetched.document))
        trouble = FileTrouble(self._source.name, key, fetched.outcome, fetched.why)
        self._run.troubles.note(trouble, is_news=is_news)

    @contextmanager
    def _recording(self, documents: Sequence[Document]) -> Iterator[None]:
        """Note files at the end, also after a stop: what came before it is not fetched again."""
        try:
            yield
        finally:
            self._staging.record(FILE, documents)

    def _wanted(
        self, owner: str | None, left_alone: Collection[str], missed: Collection[str]
    ) -> Iterator[tuple[FileRef, Document]]:
        number = 0
        for ref, belongs_to, known in self._staging.unfetched(owner):
            if belongs_to not in left_alone:
                yield ref, known
                continue
            if known:
                self._staging.record(FILE, [known])
            number += belongs_to in missed and known.get("status") not in (
                STORED,
                MISSING,
                LEFT_OUT,
            )
        if number:
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
            parents, found = [], []
            for document in documents:
                parent, embedded = cut_out(document, child)
                if embedded is None:
                    embedded = access.unpaged(child, parent).documents
                adopted = adopt(embedded, child, kind.key_of(parent))
                found += [accept(child, each) for each in adopted]
                parents.append(parent)
            documents = parents
            self._tell_undeclared(child, found)
            new = self._staging.record(child, found, pass_number)
            if pass_number and new < len(found):
                doubled.append(f"only {new} of {len(found)} {child.name} keys were distinct")
        self._tell_undeclared(kind, documents)
        new = self._staging.record(kind, documents, pass_number)
        if doubled:
            raise BadAnswer("; ".join(doubled))
        return new

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
            absent, there = self._staging.count_absent(kind)
            is_too_much = self._run.is_guarded and is_suspicious(absent, there)
            if kind.parent and kind.parent.kind in held:
                held[kind.name] = f"held back with {kind.parent.kind}"
            elif is_too_much and not self._run.accepted.take(kind.name, absent):
                held[kind.name] = held_back(
                    kind.name,
                    absent,
                    there,
                    agreed=self._run.accepted.number(kind.name),
                    some=[
                        kind.name_of(each) or kind.key_of(each)
                        for each in islice(self._staging.absent(kind), SOME)
                    ],
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
            return results_of(family, tallies, why, held)

        for name, result in judge(self._staging.commit(family, judge)).items():
            self._statuses[name] = result.status
            self._log.info("kind.listed", kind=name, status=result.status, **vars(result.tally))
            if result.error:
                self._log.warning("kind.not_complete", kind=name, why=result.error)

    def _note_files(self, kind: Kind) -> None:
        """Note what files the mirrored objects of a kind refer to."""
        mirror, origins = self._run.mirror, self._run.means.limits.origins
        # Where no field holds a URL, only texts with one inside need to be read.
        like = () if kind.files else TRACES

        def refs() -> Iterator[tuple[FileRef, str]]:
            for document in mirror.documents(self._source, kind, like=like):
                found = file_refs(document, kind.files, origins)
                if is_file(kind) and not found:
                    self._tell_unfetchable(kind, document)
                yield from ((ref, str(document.get("memoriID") or "")) for ref in found)

        self._staging.refer(refs())

    def _tell_unfetchable(self, kind: Kind, document: Document) -> None:
        """An object that is a file, but does not say where: what it is cannot be kept."""
        name = f"{kind.name} {kind.key_of(document)}"
        is_left_out = self._run.left_out.has(name)
        outcome = LEFT_OUT if is_left_out else FAILED
        why = UNASKED if is_left_out else "it does not say where its file is"
        self._files[outcome] += 1
        if not is_left_out:
            self.exit_codes.append(PARTIAL)
            self._log.warning("file.unaddressed", kind=kind.name, key=kind.key_of(document))
        trouble = FileTrouble(self._source.name, name, outcome, why)
        self._run.troubles.note(trouble, is_news=not is_left_out)

    def _finish(self, status: Status) -> None:
        if self._knows_all_files:
            for document in self._staging.absent(FILE):
                self._staging.note_gone(FILE, FILE.key_of(document))
        self._run.store.settle()
        self._staging.commit((FILE,))
        files = FileCounts(**self._files)
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
