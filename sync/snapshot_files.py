"""The files of one snapshot: which ones its documents refer to, and what became of each."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import fields

import structlog

from sync.api.remote import Access
from sync.document import Document
from sync.fetch import FAILED, LEFT_OUT, MISSING, STORED, UNASKED, Fetched, fetch
from sync.kind import Kind
from sync.kinds.file import FILE
from sync.link import TRACES, FileRef, file_refs, foreign_origin, without_query
from sync.mirror.database import BATCH
from sync.mirror.staging import Staging
from sync.mirror.values import FileCounts, Source
from sync.open_run import OpenRun
from sync.outcome import FileTrouble
from sync.refs import is_file


class SnapshotFiles:
    """The files that one snapshot refers to.

    Args:
        run: that takes the snapshot.
        source: that it is of.
        staging: what it saw.

    Attributes:
        is_partial: one could not be had, and that was not known before.
        missed: how many were not asked for this time only.
    """

    def __init__(self, run: OpenRun, source: Source, staging: Staging) -> None:
        self.is_partial = False
        self.missed = 0
        self._run = run
        self._source = source
        self._staging = staging
        self._counts = dict.fromkeys((each.name for each in fields(FileCounts)), 0)
        self._knows_all = False
        self._log = structlog.get_logger("backup").bind(source=source.name)

    @property
    def counts(self) -> FileCounts:
        """What became of them so far."""
        return FileCounts(**self._counts)

    def note(self, kind: Kind) -> None:
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
        """An object that is a file, but not where one may be asked for: it cannot be kept."""
        name = f"{kind.name} {kind.key_of(document)}"
        is_left_out = self._run.left_out.has(name)
        outcome = LEFT_OUT if is_left_out else FAILED
        why = UNASKED if is_left_out else self._why_unfetchable(kind, document)
        self._counts[outcome] += 1
        if not is_left_out:
            self.is_partial = True
            self._log.warning(
                "file.unaddressed", kind=kind.name, key=kind.key_of(document), why=why
            )
        trouble = FileTrouble(self._source.name, name, outcome, why)
        self._run.troubles.note(trouble, is_news=not is_left_out)

    def _why_unfetchable(self, kind: Kind, document: Document) -> str:
        urls = (str(document.get(name) or "") for name in kind.files)
        hosts = [foreign_origin(url, self._run.means.limits.origins) for url in urls]
        if host := next(filter(None, hosts), ""):
            return f"it is on {host}, which `asset_urls` in [account] does not name"
        return "it does not say where its file is"

    def fetch(
        self,
        access: Access,
        owner: str | None,
        left_alone: Collection[str],
        missed: Collection[str],
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
                self._counts["referenced"] += 1
                self._counts[fetched.outcome] += 1
                self._counts["bytes"] += fetched.size_bytes
                if fetched.why:
                    self._note_trouble(fetched)
        self._knows_all = run.covers_all and owner is None

    def _note_trouble(self, fetched: Fetched) -> None:
        is_news = fetched.is_new or fetched.outcome == FAILED
        if is_news:
            self.is_partial = True
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
        for ref, belongs_to, known in self._staging.unfetched(owner):
            if belongs_to not in left_alone:
                yield ref, known
                continue
            if known:
                self._staging.record(FILE, [known])
            self.missed += belongs_to in missed and known.get("status") not in (
                STORED,
                MISSING,
                LEFT_OUT,
            )

    def settle(self) -> None:
        """Make what was stored last, and note what is not referred to any more."""
        if self._knows_all:
            for document in self._staging.absent(FILE):
                self._staging.note_gone(FILE, FILE.key_of(document))
        self._run.store.settle()
        self._staging.commit((FILE,))
