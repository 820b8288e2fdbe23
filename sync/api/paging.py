"""Listings, page by page, and whether they can be trusted (design 6.1).

A remote has no snapshot: objects may come and go between pages. A `Listing` hands out what
arrives and afterwards says whether it was the whole.
"""

from collections.abc import Collection, Iterator

from sync.api.remote import Access
from sync.document import Document
from sync.kind import Kind


class Listing:
    """One pass over all objects of a kind.

    Whoever takes the pages tells how many objects of each were new, so that a remote that shows
    the same ones again neither passes for complete nor goes on for ever.

    Attributes:
        received: how many objects came so far.
        distinct: how many of them were new.
        doubt: why the pass is no proof that it saw everything, or "" if it is one; "" only
            after the last page.
    """

    def __init__(self, access: Access, kind: Kind, page_size: int) -> None:
        self.kind = kind
        self.received = 0
        self.distinct = 0
        self.doubt = "the listing was not finished"
        self._access = access
        self._page_size = page_size

    def pages(self) -> Iterator[tuple[list[Document], int | None]]:
        """The documents page by page, each with the count that the remote gives.

        The remote may give fewer than asked for, so `from` advances by what came.

        Raises:
            as `Access.page`; what came before stays valid.
        """
        counts: set[int | None] = set()
        while True:
            page = self._access.page(self.kind, self.received, self._page_size)
            counts.add(page.count)
            self.received += len(page.documents)
            before = self.distinct
            yield page.documents, page.count
            is_last = page.count is None or self.received >= page.count
            is_paged = self.kind.list is not None and self.kind.list.paged
            if is_last or not is_paged or self.distinct == before:
                break
        self.doubt = doubt(counts, self.received, self.distinct)

    def note_new(self, number: int) -> None:
        """Tell how many objects of the last page had not been seen before."""
        self.distinct += number


def doubt(counts: Collection[int | None], received: int, distinct: int) -> str:
    """Why a finished pass is no proof of completeness, or "" if it is one.

    Args:
        counts: every count that a page gave; None from a listing that does not count.
        received: how many objects came.
        distinct: how many different ones.
    """
    if len(counts) > 1:
        return f"the count changed while listing: {', '.join(sorted(map(str, counts)))}"
    (count,) = counts
    if count is not None and received != count:
        return f"{received} objects came where {count} were announced"
    if distinct != received:
        return f"only {distinct} of {received} objects were distinct"
    return ""
