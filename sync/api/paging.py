"""Listings, page by page, and whether they can be trusted (design 6.1).

A remote has no snapshot: objects may come and go while pages travel. Four things make a pass a
proof. Every page gave the same count. As many distinct objects came as that count says. Each
page begins with the object that the one before it ended with, so that no shift between two pages
goes unseen: as long as what stays keeps its order, nothing that was there all the time can be
missing. And the last page had room for more, so that a count that is too small shows.

A pass that is no proof is repeated; the last resort is the whole list in one answer.
"""

from collections import deque
from collections.abc import Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from sync.api.remote import Access, Page
from sync.document import Document
from sync.errors import AccessDenied, BadAnswer, CredentialGone, Refused
from sync.kind import Kind

_PASSES = 3


@dataclass(frozen=True)
class Sight:
    """Objects that came together.

    Attributes:
        pass_number: of the pass that shows them, from 1.
        count: how many objects the remote says there are, or None where it does not count.
    """

    documents: list[Document]
    pass_number: int
    count: int | None


class Listing:
    """All objects of a kind, read until a pass proves that it saw everything.

    Whoever takes the sights tells how many objects of each were new to the pass, so that a remote
    that shows the same ones again neither passes for complete nor goes on for ever.

    Args:
        access: of the source.
        kind: what to list.
        page_size: how many objects to ask for; the remote may give fewer.
        concurrency: how many pages travel side by side.

    Attributes:
        received: how many objects came in this pass.
        doubt: why the last pass is no proof that it saw everything, or "" if it is one.
    """

    def __init__(self, access: Access, kind: Kind, page_size: int, concurrency: int) -> None:
        self.kind = kind
        self.received = 0
        self.doubt = "the listing was not finished"
        self._distinct = 0
        self._pass_number = 0
        self._access = access
        self._page_size = page_size
        self._concurrency = concurrency

    def sights(self) -> Iterator[Sight]:
        """What the remote shows; an object may come again in a later pass, and that counts.

        Raises:
            as `Access.page`; what came before stays valid.
        """
        is_paged = self.kind.list is not None and self.kind.list.paged
        passes = [*[self._paged] * _PASSES, self._whole] if is_paged else [self._whole]
        for read in passes:
            self.received = self._distinct = 0
            self._pass_number += 1
            try:
                yield from read()
            except (BadAnswer, Refused) as error:
                if read == passes[-1] or isinstance(error, AccessDenied | CredentialGone):
                    raise
                self.doubt = str(error)
            if not self.doubt:
                return
            structlog.get_logger("listing").info(
                "pass.doubted", kind=self.kind.name, number=self._pass_number, why=self.doubt
            )

    def note_new(self, number: int) -> None:
        """Tell how many objects of the last sight had not been seen in this pass before."""
        self._distinct += number

    def _whole(self) -> Iterator[Sight]:
        page = self._access.whole(self.kind)
        self.received = len(page.documents)
        yield Sight(page.documents, self._pass_number, page.count)
        self.doubt = doubt({page.count}, self.received, self._distinct)

    def _paged(self) -> Iterator[Sight]:
        counts: set[int | None] = set()
        last_key, has_shifted = "", False
        for page, overlap in self._pages():
            documents = page.documents
            counts.add(page.count)
            if overlap and documents:
                if self.kind.key_of(documents[0]) == last_key:
                    documents = documents[1:]
                else:
                    has_shifted = True
            if page.documents:
                last_key = self.kind.key_of(page.documents[-1])
            self.received += len(documents)
            before = self._distinct
            yield Sight(documents, self._pass_number, page.count)
            if self._distinct == before:
                break
        self.doubt = doubt(counts, self.received, self._distinct, has_shifted=has_shifted)

    def _pages(self) -> Iterator[tuple[Page, int]]:
        """The pages in order, each with how many objects it should share with the one before."""
        first = self._access.page(self.kind, 0, self._page_size)
        yield first, 0
        count, given = first.count or 0, len(first.documents)
        if not given:
            return
        size = given if given < count else max(given, self._page_size)
        overlap = int(size > 1)
        for pages in self._side_by_side(count, size - overlap, overlap):
            for page in pages:
                yield page, overlap

    def _side_by_side(self, count: int, step: int, overlap: int) -> Iterator[list[Page]]:
        """The parts after the first in order, a bounded number of them on their way."""
        waiting: deque[Future[list[Page]]] = deque()
        pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="listing")
        try:
            for start in range(step, count, step):
                end = min(start + step, count - overlap)
                waiting.append(pool.submit(self._part, start, end, overlap))
                if len(waiting) > self._concurrency:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _part(self, start: int, end: int, overlap: int) -> list[Page]:
        """The objects from `start` on, in more than one page if one comes short."""
        pages: list[Page] = []
        while True:
            page = self._access.page(self.kind, start, self._page_size)
            pages.append(page)
            gained = len(page.documents) - overlap
            start += gained
            if gained <= 0 or start >= end:
                return pages


def doubt(
    counts: Collection[int | None], received: int, distinct: int, *, has_shifted: bool = False
) -> str:
    """Why a finished pass is no proof of completeness, or "" if it is one.

    Args:
        counts: every count that a page gave; None from a listing that does not count.
        received: how many objects came.
        distinct: how many different ones.
        has_shifted: a page did not begin where the one before it ended.
    """
    if len(counts) > 1:
        return f"the count changed while listing: {', '.join(sorted(map(str, counts)))}"
    if has_shifted:
        return "the list shifted while it was read"
    (count,) = counts
    if count is not None and received != count:
        return f"{received} objects came where {count} were announced"
    if distinct != received:
        return f"only {distinct} of {received} objects were distinct"
    return ""
