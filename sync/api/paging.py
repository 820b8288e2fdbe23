"""Listings, page by page, and whether they can be trusted (design 6.1).

A remote has no snapshot: objects may come and go while pages travel. Four things make a pass a
proof. Every page gave the same count. As many distinct objects came as that count says. Each
page begins with the object that the one before it ended with, so that no shift between two pages
goes unseen: as long as what stays keeps its order, nothing that was there all the time can be
missing. And the last page had room for more, so that a count that is too small shows, unless the
remote also gave too few just there.

A pass that is no proof is repeated; the last resort is the whole list in one answer.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import structlog

from sync.api.remote import Access, Page
from sync.document import Document
from sync.errors import AccessDenied, BadAnswer, CredentialGone, Refused
from sync.kind import Kind

_PASSES = 3
_OVERLAP = 1


@dataclass(frozen=True)
class Arrival:
    """Objects that came together.

    Attributes:
        documents: they may have come before, in an earlier pass; what comes last counts.
        pass_number: of the pass that shows them, from 1.
        received: how many objects came in this pass so far.
        count: how many objects the remote says there are, or None where it does not count.
    """

    documents: list[Document]
    pass_number: int
    received: int
    count: int | None


Take = Callable[[Arrival], int]
"""Takes what is shown; returns how many of the objects are new to the pass.

Only so does a remote that shows the same objects again neither pass for complete nor go on for
ever. A `BadAnswer` or `Refused` that it raises makes the pass no proof, as one of a page does.
"""


class Listing:
    """All objects of a kind, read until a pass proves that it saw everything.

    Args:
        access: of the source.
        kind: what to list.
        page_size: how many objects to ask for; the remote may give fewer.
        concurrency: how many pages travel side by side.
    """

    def __init__(self, access: Access, kind: Kind, page_size: int, concurrency: int) -> None:
        self._access = access
        self._kind = kind
        # A page of one object could not overlap with the next.
        self._page_size = max(page_size, 1 + _OVERLAP)
        self._concurrency = concurrency
        self._pass_number = 0

    def read(self, take: Take) -> str:
        """Read pass after pass until one is a proof; may be called again, for another proof.

        Args:
            take: is given everything that the remote shows.

        Returns:
            Why the last pass is no proof that it saw everything, or "" if it is one.

        Raises:
            as `Access.page`, and whatever `take` raises; what came before stays valid.
        """
        is_paged = self._kind.list is not None and self._kind.list.paged
        passes = [*[self._paged] * _PASSES, self._unpaged] if is_paged else [self._unpaged]
        found = ""
        for read in passes:
            self._pass_number += 1
            try:
                found = read(take)
            except (BadAnswer, Refused) as error:
                if read == passes[-1] or isinstance(error, AccessDenied | CredentialGone):
                    raise
                found = str(error)
            if not found:
                break
            structlog.get_logger("listing").info(
                "pass.doubted", kind=self._kind.name, number=self._pass_number, why=found
            )
        return found

    def _unpaged(self, take: Take) -> str:
        page = self._access.unpaged(self._kind)
        received = len(page.documents)
        distinct = take(Arrival(page.documents, self._pass_number, received, page.count))
        return doubt({page.count}, received, distinct)

    def _paged(self, take: Take) -> str:
        counts: set[int | None] = set()
        received = distinct = 0
        last_key = ""
        has_shifted = False
        for number, page in enumerate(self._pages()):
            documents = page.documents
            counts.add(page.count)
            if documents and last_key:
                if self._kind.key_of(documents[0]) == last_key:
                    documents = documents[_OVERLAP:]
                else:
                    has_shifted = True
            if documents:
                last_key = self._kind.key_of(documents[-1])
            received += len(documents)
            new = take(Arrival(documents, self._pass_number, received, page.count))
            distinct += new
            if number and not new:
                break
        return doubt(counts, received, distinct, has_shifted=has_shifted)

    def _pages(self) -> Iterator[Page]:
        """The pages in order: one by one until their real size is known, then side by side."""
        start = size = 0
        while True:
            page = self._access.page(self._kind, start, self._page_size)
            yield page
            given, count = len(page.documents), page.count or 0
            if given <= _OVERLAP:
                if not start:
                    # So little cannot overlap; a page that came too short shows beside the whole.
                    yield self._access.unpaged(self._kind)
                return
            start += given - _OVERLAP
            has_grown = given > size
            size = max(size, given)
            if given >= self._page_size or not has_grown:
                break
        for pages in self._side_by_side(start, count, size - _OVERLAP):
            yield from pages

    def _side_by_side(self, first: int, count: int, step: int) -> Iterator[list[Page]]:
        """The parts from `first` on in order, a bounded number of them on their way."""
        waiting: deque[Future[list[Page]]] = deque()
        pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="listing")
        try:
            for start in range(first, count, step):
                waiting.append(pool.submit(self._part, start, min(start + step, count - _OVERLAP)))
                if len(waiting) > self._concurrency:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _part(self, start: int, end: int) -> list[Page]:
        """The objects from `start` on, in more than one page if one comes short."""
        pages: list[Page] = []
        while True:
            page = self._access.page(self._kind, start, self._page_size)
            pages.append(page)
            gained = len(page.documents) - _OVERLAP
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
