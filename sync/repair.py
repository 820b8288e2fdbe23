"""Repair: put back what `check` finds damaged, from history and from the remote; never invent.

Rows are written again from the last change of their object. Blobs are fetched again from where
they came, and count only if they are the very bytes that are missing; what was damaged of them is
kept aside.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from sync.api.account import OpenAccount
from sync.api.means import Means
from sync.check import HINT, Damage, check
from sync.claim import claim
from sync.errors import RemoteError, StorageError, SyncError
from sync.fetch import FAILED, MISSING
from sync.files import Bench, FileStore, is_name
from sync.kind import Kind
from sync.kinds.file import FILE
from sync.mirror import audit
from sync.mirror.mirror import Mirror
from sync.mirror.rebuild import rebuild
from sync.refetch import Search
from sync.watch import Watch

_UNFETCHED = "it could not be fetched"


@dataclass(frozen=True)
class Repaired:
    """What a repair came to.

    Attributes:
        done: what is as it was again.
        left: what is still damaged, and why.
        error: what ended it before all was tried, if anything did.
    """

    done: list[Damage]
    left: list[Damage]
    error: SyncError | None = None


def repair(
    mirror: Mirror,
    store: FileStore,
    kinds: Mapping[str, Kind],
    open_account: OpenAccount,
    means: Means,
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
        means: to fetch with.
        watch: told of progress.

    Raises:
        StorageError: the folder of the files is not there or another mirror's, or the disk fails.
        Interrupted: what was put back until then stays.
    """
    if not store.is_missing():
        claim(mirror, store)
    before = check(mirror, store, kinds, 100.0, watch).damage
    if store.is_missing() and any(each.where == str(store.root) for each in before):
        # To fetch all files into a new folder is not what anybody means who forgot a disk.
        raise StorageError(f"the folder {store.root} is not there", f"{HINT} Or make it anew")
    why: dict[tuple[str, str, int | None], str] = {}
    for kind in (*kinds.values(), FILE):
        objects = {
            (each.source_id, each.where)
            for each in before
            if each.what == kind.name and each.source_id is not None
        }
        for (source_id, key), reason in rebuild(mirror, kind, objects).items():
            why[kind.name, key, source_id] = reason
    lacking = _lacking(mirror, store, before)
    reasons, error = _fetch_again(mirror, store, lacking, open_account, means)
    after = check(mirror, store, kinds, 100.0, watch).damage
    still = set(map(_name, after))
    return Repaired(
        [each for each in before if _name(each) not in still],
        [
            replace(each, why=reasons.get(each.sha256) or why.get(_name(each)[:3], ""))
            for each in after
        ],
        error,
    )


def _lacking(mirror: Mirror, store: FileStore, before: Collection[Damage]) -> set[str]:
    """Which blobs are not there as they were, once the rows are written again."""
    names = {each.sha256 for each in before}
    if store.is_empty() or any(each.what == FILE.name and each.source_id for each in before):
        # No damage names them one by one, or only now history says which they are.
        names = {each.sha256 for each in audit.blobs(mirror)}
    return {each for each in names if is_name(each) and not store.is_sound(each)}


def why_left(outcomes: Collection[str], why_failed: str = "") -> str:
    """Why a damaged file is left as it is.

    Args:
        outcomes: what became of asking for it.
        why_failed: why it could not be fetched, if that is known.
    """
    if set(outcomes) - {MISSING, FAILED}:
        return "the remote gives other bytes for it now"
    if MISSING in outcomes:
        return "the remote does not have it any more"
    if not outcomes:
        return "no place is left to fetch it from"
    return ": ".join(filter(None, (_UNFETCHED, why_failed)))


def _fetch_again(
    mirror: Mirror,
    store: FileStore,
    lacking: Collection[str],
    open_account: OpenAccount,
    means: Means,
) -> tuple[dict[str, str], RemoteError | StorageError | None]:
    """Put blobs back, each as soon as its very bytes have come; nothing else is kept.

    Returns:
        {blob: why it is left as it is}, and what ended it early.
    """
    if not lacking:
        return {}, None
    left = set(lacking)
    places = [place for sha256 in lacking for place in audit.places(mirror, sha256)]
    bench = Bench(store.root)
    search = Search(places, mirror.sources(), bench, means)
    try:
        store.prepare()
        with open_account() as account:
            for fetched in search.everywhere(account):
                sha256 = str(fetched.document.get("sha256"))
                if sha256 in left:
                    store.replace(sha256, bench.path(sha256))
                    left.discard(sha256)
                elif is_name(sha256):
                    bench.drop(sha256)
    except (RemoteError, StorageError) as error:
        # Not all places were asked: that the others have nothing is no verdict.
        return {each: why_left({FAILED}, search.why_failed(each)) for each in left}, error
    return {each: why_left(search.outcomes(each), search.why_failed(each)) for each in left}, None


def _name(damage: Damage) -> tuple[str, str, int | None, str]:
    return damage.what, damage.where, damage.source_id, damage.sha256
