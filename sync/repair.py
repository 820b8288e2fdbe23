"""Repair: put back what `check` finds damaged, from history and from the remote; never invent.

Rows are written again from the last change of their object. Blobs are fetched again from where
they came, and count only if they are the very bytes that are missing; what was damaged of them is
kept aside.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass

import structlog

from sync.api.account import Account
from sync.api.remote import Access
from sync.backup import Wishes, password_of
from sync.check import Damage, check
from sync.errors import AccountRefused, RemoteError
from sync.fetch import fetch
from sync.files import FileStore, is_name
from sync.kind import Kind, Scope
from sync.kinds.file import FILE
from sync.link import FileRef
from sync.mirror import audit
from sync.mirror.mirror import Mirror
from sync.mirror.rebuild import rebuild
from sync.watch import Watch

OpenAccount = Callable[[], AbstractContextManager[Account]]


@dataclass(frozen=True)
class Repaired:
    """What a repair came to.

    Attributes:
        done: what is as it was again.
        left: what is still damaged.
    """

    done: list[Damage]
    left: list[Damage]


def repair(
    mirror: Mirror,
    store: FileStore,
    kinds: Mapping[str, Kind],
    open_account: OpenAccount,
    wishes: Wishes,
    watch: Watch,
) -> Repaired:
    """Look for damage, put back what can be put back, and look again.

    Stamps and counters, which history does not keep, are as old as the last change of a row that
    was written again, until the next backup.

    Args:
        mirror: locked against other writers.
        store: its files.
        kinds: the registry.
        open_account: logs in; asked only if there is something to fetch.
        wishes: passwords, limits and concurrency for fetching.
        watch: told of progress.

    Raises:
        AccountRefused, Unavailable, StorageError, Interrupted: what was put back until then stays.
    """
    store.prepare()
    before = check(mirror, store, kinds, 100.0, watch).damage
    for kind in (*kinds.values(), FILE):
        rows = {
            (each.source_id, each.where)
            for each in before
            if each.what == kind.name and each.source_id is not None
        }
        rebuild(mirror, kind, rows)
    if blobs := {each.sha256 for each in before if is_name(each.sha256)}:
        for sha256 in blobs:
            store.set_aside(sha256)
        with open_account() as account:
            _fetch_again(_Places(mirror, store, blobs), account, store, wishes)
    after = check(mirror, store, kinds, 100.0, watch).damage
    left = {(each.what, each.where, each.source_id) for each in after}
    done = [each for each in before if (each.what, each.where, each.source_id) not in left]
    return Repaired(done, after)


class _Places:
    """Where the blobs that are missing may be had."""

    def __init__(self, mirror: Mirror, store: FileStore, blobs: Iterable[str]) -> None:
        self._store = store
        self._sources = {each.id: each for each in mirror.sources()}
        self._places = [(blob, *place) for blob in blobs for place in audit.places(mirror, blob)]

    def left(self, memori_id: str = "") -> Iterator[FileRef]:
        """The files to ask for: those of the account, and of a Memori if its session is open."""
        told = set()
        for sha256, source_id, key, url in self._places:
            source, ref = self._sources[source_id], FileRef(key, url)
            is_within_reach = source.scope is Scope.ACCOUNT or source.remote_id == memori_id
            if is_within_reach and ref not in told and not self._store.path(sha256).is_file():
                told.add(ref)
                yield ref


def _fetch_again(places: _Places, account: Account, store: FileStore, wishes: Wishes) -> None:
    def ask(access: Access, refs: Iterable[FileRef]) -> None:
        for _ in fetch(
            access, store, ((ref, {}) for ref in refs), wishes.concurrency, wishes.limits
        ):
            pass

    for agent in account.agents():
        if refs := list(places.left(agent.memori_id)):
            try:
                with account.giver(agent, password_of(agent, wishes.passwords)) as access:
                    ask(access, refs)
            except AccountRefused:
                raise
            except RemoteError as error:
                log = structlog.get_logger("repair")
                log.warning("source.failed", memori=agent.name, why=str(error))
    ask(account.access, places.left())
