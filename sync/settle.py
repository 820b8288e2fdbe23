"""Settling what earlier restores left begun (design 8.4): were the calls carried out?"""

from collections.abc import Mapping, Sequence

import structlog

from sync.api.download import download
from sync.api.remote import Access
from sync.document import Document
from sync.errors import BadAnswer, NotFound, RemoteError
from sync.files import FileStore
from sync.kind import Kind
from sync.link import FileRef
from sync.lives import last_known
from sync.mirror.journal import Begun
from sync.mirror.mirror import Mirror
from sync.order import CREATE, REPLACE, UPLOAD
from sync.refs import files_of, is_file
from sync.target import Target
from sync.twin import find_twins


def settle(target: Target, access: Access, store: FileStore) -> None:
    """Find out what came of the steps that earlier restores into a Memori left open.

    Args:
        target: listed just now.
        access: its session, to look at files that may have been sent.
        store: where their bytes go.

    Raises:
        BadAnswer: that cannot be told now.
    """
    journal, log = target.journal, structlog.get_logger("restore")
    begun = journal.begun()
    makers = [each for each in begun if each.op in (CREATE, UPLOAD, REPLACE)]
    for step in (each for each in begun if each not in makers):
        journal.failed(step.id, "cut short; planned anew")
    for place in dict.fromkeys((each.kind, each.before_snapshot_id) for each in makers):
        steps = [each for each in makers if (each.kind, each.before_snapshot_id) == place]
        kind = target.kinds[place[0]]
        candidates = _new_since(target, kind, place[1])
        hashes = _hashes(target.mirror, access, store, kind, steps, candidates)
        found = find_twins(steps, kind, candidates, hashes)
        live, successors = target.live(), journal.successors()
        for step in steps:
            key = found[step.id]
            log.info("step.settled", kind=kind.name, key=step.old_key, found=key)
            if key is None:
                journal.failed(step.id, "not carried out")
            else:
                lost = (kind.name, key if kind.key_given else step.old_key)
                journal.done(step.id, last_known(lost, successors, live), key)


def _new_since(target: Target, kind: Kind, snapshot_id: int) -> dict[str, Document]:
    """Objects that were not there at a snapshot, and that no other step made."""
    source, past = target.source_of(kind), target.mirror.past
    before_id = target.mirror.sibling(snapshot_id, source)
    before = {key for key, _ in past.state(source, kind, before_id)}
    taken = target.journal.taken()
    return {
        key: document
        for key, document in past.state(source, kind)
        if key not in before and (kind.name, key) not in taken
    }


def _hashes(
    mirror: Mirror,
    access: Access,
    store: FileStore,
    kind: Kind,
    steps: Sequence[Begun],
    candidates: Mapping[str, Document],
) -> dict[str, str]:
    """{key: hash} of new files, where steps of this kind make files."""
    if not is_file(kind):
        return {}
    places = [step.sent.get("memoriID") for step in steps]
    return {
        key: _hash_of(mirror, access, store, ref)
        for key, document in candidates.items()
        if document.get("memoriID") in places
        for ref in files_of(kind, document)
    }


def _hash_of(mirror: Mirror, access: Access, store: FileStore, ref: FileRef) -> str:
    known = mirror.stored_files([ref.key])
    if ref.key in known:
        return str(known[ref.key]["sha256"])
    try:
        with store.receive() as incoming:
            download(access, ref, incoming)
            return incoming.keep().sha256
    except NotFound:
        return ""
    except RemoteError as error:
        raise BadAnswer(
            f"cannot tell whether an upload arrived: {error}", "try again later"
        ) from None
