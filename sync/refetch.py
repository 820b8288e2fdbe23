"""Fetching again what was fetched before: known bytes, from where they were found."""

import functools
from collections.abc import Collection, Iterable, Iterator, Sequence

import structlog

from sync.api.account import Account
from sync.api.means import Means
from sync.api.remote import Access
from sync.document import Document
from sync.errors import RemoteError, UsageError, failing_alone
from sync.fetch import FAILED, MISSING, Fetched, fetch
from sync.files import FileStore
from sync.kind import Scope
from sync.kinds.file import FILE
from sync.link import FileRef, origin_of
from sync.mirror.audit import Place
from sync.mirror.values import Source


class Search:
    """Asking for bytes at each of their places until they are there.

    Args:
        places: where which bytes may be had.
        sources: of the mirror.
        store: where the bytes go.
        means: to ask with.

    Attributes:
        found: the hashes of the bytes that came, whatever was asked for.
    """

    def __init__(
        self,
        places: Sequence[Place],
        sources: Iterable[Source],
        store: FileStore,
        means: Means,
    ) -> None:
        self.found: set[str] = set()
        self._sources = {each.id: each for each in sources}
        self._store = store
        self._means = means
        self._outcomes: dict[str, set[str]] = {}
        self._why: dict[str, str] = {}
        self._refs: dict[Place, FileRef] = {}
        for place in places:
            ref = _allowed(place, means.limits.origins)
            if ref is not None and place.source_id in self._sources:
                self._refs[place] = ref

    def everywhere(self, account: Account) -> Iterator[Fetched]:
        """Ask under the session of each agent, then under the account.

        Raises:
            AccountRefused, Unavailable, StorageError, Interrupted: no other file would fare better.
        """
        for agent in account.agents():
            if self._left(agent.memori_id):
                password = self._means.password_of(agent)
                note = functools.partial(_tell, agent.name)
                with failing_alone(note), account.giver(agent, password) as access:
                    yield from self.under(access, agent.memori_id)
        yield from self.under(account.access)

    def under(self, access: Access, memori_id: str = "") -> Iterator[Fetched]:
        """Ask for what did not come yet, of the account and of a Memori if it is its session.

        A file of the account may need the session of any Memori, so each is asked in turn.

        Raises:
            as `everywhere`.
        """
        wanted: Iterator[tuple[FileRef, Document]] = ((ref, {}) for ref in self._left(memori_id))
        means = self._means
        for each in fetch(access, self._store, wanted, means.concurrency, means.limits):
            key = FILE.key_of(each.document)
            self._outcomes.setdefault(key, set()).add(each.outcome)
            if each.outcome == FAILED:
                self._why[key] = each.why
            if each.outcome not in (MISSING, FAILED):
                self.found.add(str(each.document.get("sha256")))
            yield each

    def refs(self, sha256: str) -> list[FileRef]:
        """The files that some bytes are."""
        return [ref for place, ref in self._refs.items() if place.sha256 == sha256]

    def outcomes(self, sha256: str) -> set[str]:
        """What became of asking for some bytes."""
        return {each for ref in self.refs(sha256) for each in self._outcomes.get(ref.key, ())}

    def why_failed(self, sha256: str) -> str:
        """Why some bytes could not be fetched when they were last asked for, or ""."""
        return next((self._why[ref.key] for ref in self.refs(sha256) if ref.key in self._why), "")

    def _left(self, memori_id: str) -> list[FileRef]:
        refs: dict[FileRef, None] = {}
        for place, ref in self._refs.items():
            source = self._sources[place.source_id]
            is_within_reach = source.scope is Scope.ACCOUNT or source.remote_id == memori_id
            if is_within_reach and place.sha256 not in self.found:
                refs[ref] = None
        return list(refs)


def _tell(memori: str, error: RemoteError) -> None:
    structlog.get_logger("refetch").warning("source.failed", memori=memori, why=str(error))


def _allowed(place: Place, origins: Collection[str]) -> FileRef | None:
    """A place as a file to ask for; hosts that the settings do not name are asked no more."""
    try:
        is_allowed = bool(place.url) and origin_of(place.url) in origins
    except UsageError:
        is_allowed = False
    ref = FileRef(place.key, place.url if is_allowed else "")
    return ref if ref.url or ref.is_on_backend else None
