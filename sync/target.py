"""The Memori that things come back into: what is there now, and what earlier restores did."""

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from types import MappingProxyType

from sync.api.account import Account
from sync.api.download import FileLimits, download
from sync.api.means import Means
from sync.api.remote import Access
from sync.document import Document
from sync.errors import AccountRefused, BadAnswer, CredentialGone, Refused
from sync.files import FileStore
from sync.kind import Ident, Kind, Scope
from sync.link import FileRef, file_refs
from sync.lives import follow
from sync.mirror.journal import Journal, firsts_elsewhere
from sync.mirror.mirror import Mirror
from sync.mirror.values import Source
from sync.refs import Objects


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
        means: to ask with.
    """

    account: Account
    target: Source
    access: Access
    mirror: Mirror
    store: FileStore
    kinds: Mapping[str, Kind]
    means: Means


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
        unlisted: files that are there, though no list of the account shows them.
    """

    mirror: Mirror
    source: Source
    owner: Source
    kinds: Mapping[str, Kind]
    journal: Journal
    files: Container[Ident] = ()
    unlisted: Objects = field(default_factory=dict)

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
            for ident, document in chain(self._documents(), self.unlisted.items())
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


def open_journal(
    mirror: Mirror,
    target: Source,
    owner: Source,
    kinds: Mapping[str, Kind],
    theirs: Collection[Ident],
    copied: Collection[Ident],
) -> Journal:
    """The journal of a restore into a Memori.

    Args:
        mirror: where it is kept.
        target: the Memori that it comes into.
        owner: the account, whose files stay where they are.
        kinds: those that take part.
        theirs: what another Memori had, if it comes from one.
        copied: what of that is the account's.
    """
    firsts = firsts_elsewhere(mirror, target)
    stay = set(copied)
    for name in {name for name, _ in copied}:
        keys = {firsts[each] for each in copied if each[0] == name and each in firsts}
        for key, (_, seen) in mirror.past.last_versions(owner, kinds[name], keys).items():
            # Of a file that theirs was made of, and that was ours, no copy is made: it comes back.
            if seen.get("memoriID") != target.remote_id:
                stay.add((name, key))
    return Journal(mirror, target, stay, theirs, firsts)


def find_unlisted(hands: Hands, there: Target, files: Objects) -> dict[Ident, Document]:
    """Find out which files are there of those that no list shows.

    What an earlier restore made of a file stands for it as long as it is there: it is not asked
    for again, so that nothing goes back and forth.

    Args:
        hands: to ask with.
        there: listed just now, and settled.
        files: of assets, made of what was known of them.

    Raises:
        AccountRefused, Unavailable, Interrupted: that cannot be told now.
    """
    successors, past = there.journal.successors(), there.mirror.past
    last = {ident: follow(ident, successors) for ident in files}
    listed = {
        (kind.name, key)
        for kind in there.kinds.values()
        if any(name == kind.name for name, _ in files)
        for key in past.documents(there.source_of(kind), kind, last.values())
    }
    present = {ident for ident in files if ident in listed and last[ident] == ident[1]}
    asked = [ident for ident in files if (ident[0], last[ident]) not in listed]

    def look(ident: Ident) -> bool:
        limits = hands.means.limits
        refs = file_refs(files[ident], there.kinds[ident[0]].files, limits.origins)
        return all(_is_there(hands.access, ref, limits) for ref in refs)

    with ThreadPoolExecutor(hands.means.concurrency, thread_name_prefix="unlisted") as pool:
        present |= {
            ident for ident, found in zip(asked, pool.map(look, asked), strict=True) if found
        }
    return {ident: document for ident, document in files.items() if ident in present}


class _Glance:
    """Takes nothing of a file: that one comes is all there is to know."""

    size_bytes = 0
    etag = ""

    def take(self, start: int, etag: str, chunks: Iterable[bytes]) -> None:
        """Leave it."""


def _is_there(access: Access, ref: FileRef, limits: FileLimits) -> bool:
    try:
        download(access, ref, _Glance(), limits=limits)
    except (AccountRefused, CredentialGone):
        raise
    except Refused:
        # Not there, or not for sessions of this Memori, whose media then show nothing.
        return False
    except BadAnswer:
        # Nothing says that it is gone.
        return True
    return True
