"""Repair: put back what `check` finds damaged, from history and from the remote; never invent.

Rows are written again from the last change of their object. Blobs are fetched again from where
they came, and count only if they are the very bytes that are missing; what was damaged of them is
kept aside.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from sync.api.account import Account
from sync.backup import Wishes
from sync.check import Damage, check
from sync.files import FileStore, is_name
from sync.kind import Kind
from sync.kinds.file import FILE
from sync.mirror import audit
from sync.mirror.mirror import Mirror
from sync.mirror.rebuild import rebuild
from sync.refetch import refetch
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
    why: dict[tuple[str, int | None, str], str] = {}
    for kind in (*kinds.values(), FILE):
        objects = {
            (each.source_id, each.where)
            for each in before
            if each.what == kind.name and each.source_id is not None
        }
        for (source_id, key), reason in rebuild(mirror, kind, objects).items():
            why[kind.name, source_id, key] = reason
    if blobs := {each.sha256 for each in before if is_name(each.sha256)}:
        for sha256 in blobs:
            store.set_aside(sha256)
        places = [place for sha256 in blobs for place in audit.places(mirror, sha256)]
        with open_account() as account:
            for _ in refetch(places, mirror.sources(), account, store, wishes):
                pass
        store.settle()
    after = check(mirror, store, kinds, 100.0, watch).damage
    left = {(each.what, each.where, each.source_id) for each in after}
    done = [each for each in before if (each.what, each.where, each.source_id) not in left]
    named = [
        replace(each, why=why.get((each.what, each.source_id, each.where), "")) for each in after
    ]
    return Repaired(done, named)
