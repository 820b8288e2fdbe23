"""The Memori that things come back into: what is there now, and what earlier restores did."""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sync.api.account import Account
from sync.api.remote import Access
from sync.backup import Wishes
from sync.document import Document
from sync.files import FileStore
from sync.kind import Ident, Kind, Scope
from sync.mirror.journal import Journal
from sync.mirror.mirror import Mirror
from sync.mirror.values import Source
from sync.order import Objects


@dataclass(frozen=True)
class Hands:
    """What a restore works with.

    Attributes:
        account: logged in.
        target: the Memori that things come back into.
        access: its Giver session.
        mirror: locked against other writers.
        store: the bytes of files.
        kinds: the registry.
        wishes: page size, concurrency, limits and passwords.
    """

    account: Account
    target: Source
    access: Access
    mirror: Mirror
    store: FileStore
    kinds: Mapping[str, Kind]
    wishes: Wishes


@dataclass(frozen=True)
class Target:
    """Where a restore goes to.

    Attributes:
        mirror: that knows it.
        source: the Memori.
        owner: the account, whose files and settings count where they are the Memori's.
        kinds: those that take part.
        journal: of restores into it.
        files: of the account that count, too, though they are not known as the Memori's own.
    """

    mirror: Mirror
    source: Source
    owner: Source
    kinds: Mapping[str, Kind]
    journal: Journal
    files: Container[Ident] = ()

    def source_of(self, kind: Kind) -> Source:
        """Whose objects of a kind are meant."""
        return self.owner if kind.scope is Scope.ACCOUNT else self.source

    def live(self, known: Objects = MappingProxyType({})) -> Objects:
        """What was there when it was listed last.

        Args:
            known: a state that is held already; what is equal to it takes no room twice.
        """
        return {
            ident: document if (same := known.get(ident)) != document else same
            for ident, document in self._documents()
        }

    def _documents(self) -> Iterator[tuple[Ident, Document]]:
        return (
            ((kind.name, key), document)
            for kind in self.kinds.values()
            for key, document in self._listed(kind)
            if kind.scope is Scope.MEMORI
            or document.get("memoriID") == self.source.remote_id
            or (kind.name, key) in self.files
        )

    def _listed(self, kind: Kind) -> Iterator[tuple[str, Document]]:
        source = self.source_of(kind)
        if kind.parent is None:
            return self.mirror.past.state(source, kind)
        # A child may have got another place without a change: the history does not know it.
        return ((kind.key_of(each), each) for each in self.mirror.documents(source, kind))
