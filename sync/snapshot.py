"""Taking one snapshot: the view of one source, kind by kind, then its files (design 6).

What was seen is committed whatever else fails. What is not seen any more is written as deleted
only after a listing that proved to be whole, and only when the object itself is not found.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, fields
from types import TracebackType
from typing import Self

import structlog

from sync.api.paging import Listing
from sync.api.remote import Access, accept
from sync.document import Document
from sync.errors import (
    AccessDenied,
    AccountRefused,
    Interrupted,
    NotFound,
    RemoteError,
    SyncError,
)
from sync.fetch import FAILED, fetch
from sync.files import FileStore
from sync.kind import Kind, adopt, children, cut_out
from sync.kinds.file import FILE
from sync.link import file_refs
from sync.mirror.mirror import FileCounts, KindResult, Mirror, Source
from sync.mirror.staging import Staging

COMPLETE, INCOMPLETE, FAILED_STATUS, INTERRUPTED = "complete", "incomplete", "failed", "interrupted"
PARTIAL = 3

Watch = Callable[[str, str, int, int | None], None]
"""Told of progress: source name, what is being fetched, how many so far, of how many."""


@dataclass(frozen=True)
class Run:
    """What all snapshots of one run share.

    Attributes:
        kinds: what the run is limited to, parents before children.
        is_whole: the run covers every kind.
        exit_codes: what the failures so far mean for the end of the run.
        told: fields reported as unknown already.
    """

    run_id: int
    mirror: Mirror
    store: FileStore
    kinds: Mapping[str, Kind]
    is_whole: bool
    page_size: int
    concurrency: int
    origins: frozenset[str]
    reason: str
    watch: Watch
    exit_codes: list[int] = field(default_factory=list)
    told: set[tuple[str, str]] = field(default_factory=set)


class OpenSnapshot:
    """A snapshot while it is being taken; leaving the context closes it with its outcome."""

    def __init__(self, run: Run, source: Source) -> None:
        self._run = run
        self._source = source
        self._kinds = [kind for kind in run.kinds.values() if kind.scope is source.scope]
        self._results: dict[str, KindResult] = {}
        self._files = dict.fromkeys((each.name for each in fields(FileCounts)), 0)
        self._error: str | None = None
        self._stack = ExitStack()
        self._log = structlog.get_logger("backup").bind(source=source.name)

    def __enter__(self) -> Self:
        run = self._run
        self.id = run.mirror.start_snapshot(self._source, run.run_id, run.reason)
        self._staging: Staging = self._stack.enter_context(
            run.mirror.staging(self._source, self.id)
        )
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._finish(self._status())
                return
            status = INTERRUPTED if isinstance(error, Interrupted) else FAILED_STATUS
            self._error = str(error)
            with suppress(SyncError):
                self._finish(status)
        finally:
            self._stack.close()

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
        for kind in self._kinds:
            self._note_files(kind)

    def fetch_files(self, access: Access, owner: str | None = None) -> None:
        """Fetch the files noted so far.

        Args:
            access: the session under which the Backend gives them.
            owner: only those of this Memori.
        """
        run = self._run
        wanted = self._staging.unfetched(owner)
        done = fetch(access, run.store, wanted, run.concurrency)
        for number, fetched in enumerate(done, start=1):
            run.watch(self._source.name, FILE.name, number, None)
            self._staging.record(FILE, [fetched.document])
            self._files["referenced"] += 1
            self._files[fetched.outcome] += 1
            self._files["bytes"] += fetched.size_bytes
            if fetched.is_new or fetched.outcome == FAILED:
                run.exit_codes.append(PARTIAL)

    def _list_kind(self, access: Access, kind: Kind) -> None:
        family = (kind, *children(kind, self._run.kinds))
        listing, error = Listing(access, kind, self._run.page_size), None
        try:
            for documents, count in listing.pages():
                self._record(access, kind, documents)
                self._run.watch(self._source.name, kind.name, listing.received, count)
            self._check_distinct(listing)
            if not listing.doubt:
                self._confirm_absences(access, family)
        except Interrupted:
            self._staging.commit(family)
            raise
        except AccountRefused as refused:
            self._conclude(family, listing, refused)
            raise
        except RemoteError as failed:
            error = failed
            self._note(failed)
        self._conclude(family, listing, error)

    def _record(self, access: Access, kind: Kind, documents: Sequence[Document]) -> None:
        """Stage objects, and the children embedded in them."""
        for child in children(kind, self._run.kinds):
            parents, found = [], []
            for document in documents:
                parent, embedded = cut_out(document, child)
                if embedded is None:
                    embedded = access.page(child, 0, self._run.page_size, parent).documents
                found += [
                    accept(child, each) for each in adopt(embedded, child, kind.key_of(parent))
                ]
                parents.append(parent)
            documents = parents
            self._tell_undeclared(child, found)
            self._staging.record(child, found)
        self._tell_undeclared(kind, documents)
        self._staging.record(kind, documents)

    def _check_distinct(self, listing: Listing) -> None:
        distinct = self._staging.listed(listing.kind)
        if not listing.doubt and distinct != listing.received:
            listing.doubt = f"only {distinct} of {listing.received} objects were distinct"

    def _confirm_absences(self, access: Access, family: Sequence[Kind]) -> None:
        for kind in family:
            for document in self._staging.absent(kind):
                try:
                    live = access.get(kind, document)
                except NotFound:
                    self._staging.note_gone(kind, kind.key_of(document))
                else:
                    self._record(access, kind, [live])

    def _conclude(
        self, family: Sequence[Kind], listing: Listing, error: RemoteError | None
    ) -> None:
        """Commit what was seen of a kind and its children, with how far it can be trusted."""
        tallies = self._staging.commit(family)
        why = str(error) if error else listing.doubt
        status = COMPLETE if not why else INCOMPLETE if listing.received else FAILED_STATUS
        if why and not error:
            self._run.exit_codes.append(PARTIAL)
        for kind in family:
            result = KindResult(status, tallies[kind.name], why or None)
            self._results[kind.name] = result
            self._run.mirror.record_kind(self.id, kind.name, result)
            self._log.info("kind.listed", kind=kind.name, status=status, **vars(result.tally))
        if why:
            self._log.warning("kind.not_complete", kind=family[0].name, why=why)

    def _note_files(self, kind: Kind) -> None:
        """Note what files the mirrored objects of a kind refer to."""
        mirror, origins = self._run.mirror, self._run.origins
        # Only an asset's URL inside a text can be a file where no field holds a URL.
        like = "" if kind.files else "/asset/"
        for document in mirror.documents(self._source, kind, like=like):
            owner = str(document.get("memoriID") or "")
            refs = file_refs(document, kind.files, origins)
            self._staging.refer((ref, owner) for ref in refs)

    def _finish(self, status: str) -> None:
        if self._run.is_whole:
            for document in self._staging.absent(FILE):
                self._staging.note_gone(FILE, FILE.key_of(document))
        self._staging.commit((FILE,))
        files = FileCounts(**self._files)
        self._run.mirror.finish_snapshot(self.id, status, files, self._error)
        self._log.info("snapshot.finished", status=status, **vars(files))

    def _status(self) -> str:
        trusted = all(result.status == COMPLETE for result in self._results.values())
        if self._error and not self._results:
            return FAILED_STATUS
        return COMPLETE if trusted and not self._error and not self._files["failed"] else INCOMPLETE

    def _note(self, error: SyncError) -> None:
        denied = isinstance(error, AccessDenied)
        self._run.exit_codes.append(error.exit_code if denied else PARTIAL)

    def _tell_undeclared(self, kind: Kind, documents: Sequence[Document]) -> None:
        for document in documents:
            for name in kind.undeclared(document):
                if (kind.name, name) not in self._run.told:
                    self._run.told.add((kind.name, name))
                    self._log.warning("field.unknown", kind=kind.name, field=name)
