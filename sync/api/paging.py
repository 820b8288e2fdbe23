"""Listings, page by page, and whether they can be trusted (design 6.1).

A remote has no snapshot: objects may come and go between pages. A `Listing` hands out what
arrives and afterwards says whether it was the whole.
"""

from collections.abc import Iterator

from sync.api.remote import Access
from sync.document import Document
from sync.kind import Kind


class Listing:
    """One pass over all objects of a kind.

    Attributes:
        received: how many objects came so far.
        doubt: why the pass is no proof that it saw everything, or "" if it is one; "" only
            after the last page.
    """

    def __init__(self, access: Access, kind: Kind, page_size: int) -> None:
        self.kind = kind
        self.received = 0
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
            yield page.documents, page.count
            is_last = page.count is None or self.received >= page.count or not page.documents
            if is_last or not self.kind.list.paged:
                break
        if len(counts) > 1:
            self.doubt = f"the count changed while listing: {sorted(map(str, counts))}"
        elif page.count is not None and self.received != page.count:
            self.doubt = f"{self.received} objects came where {page.count} were announced"
        else:
            self.doubt = ""
