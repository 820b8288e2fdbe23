"""Fetching again what was fetched before: known bytes, from where they were found."""

from collections.abc import Iterable, Iterator, Sequence

import structlog

from sync.api.account import Account
from sync.api.remote import Access
from sync.backup import Wishes, password_of
from sync.document import Document
from sync.errors import AccountRefused, RemoteError
from sync.fetch import Fetched, fetch
from sync.files import FileStore
from sync.kind import Scope
from sync.link import FileRef
from sync.mirror.audit import Place
from sync.mirror.values import Source


def refetch(
    places: Sequence[Place],
    sources: Iterable[Source],
    account: Account,
    store: FileStore,
    wishes: Wishes,
) -> Iterator[Fetched]:
    """Ask for files at each of their places until the very bytes are there.

    A file of the account may need the session of any Memori, so each is asked in turn.

    Args:
        places: where which bytes may be had.
        sources: of the mirror.
        account: logged in.
        store: where the bytes go; what it has already is not asked for.
        wishes: passwords, limits and concurrency.

    Raises:
        AccountRefused, Unavailable, StorageError, Interrupted: no other file would fare better.
    """
    by_id = {each.id: each for each in sources}

    def left(memori_id: str = "") -> list[FileRef]:
        """The files to ask for: those of the account, and of a Memori if its session is open."""
        refs: dict[FileRef, None] = {}
        for place in places:
            source = by_id[place.source_id]
            is_within_reach = source.scope is Scope.ACCOUNT or source.remote_id == memori_id
            if is_within_reach and not store.path(place.sha256).is_file():
                refs[FileRef(place.key, place.url)] = None
        return list(refs)

    def ask(access: Access, refs: Iterable[FileRef]) -> Iterator[Fetched]:
        wanted: Iterator[tuple[FileRef, Document]] = ((ref, {}) for ref in refs)
        return fetch(access, store, wanted, wishes.concurrency, wishes.limits)

    for agent in account.agents():
        if refs := left(agent.memori_id):
            try:
                with account.giver(agent, password_of(agent, wishes.passwords)) as access:
                    yield from ask(access, refs)
            except AccountRefused:
                raise
            except RemoteError as error:
                log = structlog.get_logger("refetch")
                log.warning("source.failed", memori=agent.name, why=str(error))
    yield from ask(account.access, left())
