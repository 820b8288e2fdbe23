"""Settling what earlier restores left begun (design 8.4): were the calls carried out?"""

from collections.abc import Mapping, Sequence

import structlog

from sync.api.download import download
from sync.document import Document
from sync.errors import BadAnswer, NotFound, RemoteError
from sync.kind import Kind, Scope
from sync.link import FileRef
from sync.lives import last_known
from sync.mirror.journal import Begun
from sync.order import CREATE, REPLACE, UPLOAD
from sync.refs import files_of, is_file
from sync.target import Hands, Target
from sync.twin import find_twins


def settle(hands: Hands, there: Target) -> None:
    """Find out what came of the steps that earlier restores into a Memori left open.

    Args:
        hands: to look at files that may have been sent.
        there: listed just now.

    Raises:
        BadAnswer: that cannot be told now.
    """
    journal, log = there.journal, structlog.get_logger("restore")
    begun = journal.begun()
    makers = [each for each in begun if each.op in (CREATE, UPLOAD, REPLACE)]
    for step in (each for each in begun if each not in makers):
        journal.failed(step.id, "cut short; planned anew")
    for place in dict.fromkeys((each.kind, each.before_snapshot_id) for each in makers):
        steps = [each for each in makers if (each.kind, each.before_snapshot_id) == place]
        kind = there.kinds[place[0]]
        candidates = _new_since(there, kind, place[1])
        hashes = _hashes(hands, kind, steps, candidates)
        found = find_twins(steps, kind, candidates, hashes)
        live, successors = there.live(), journal.successors()
        for step in steps:
            key = found[step.id]
            log.info("step.settled", kind=kind.name, key=step.old_key, found=key)
            if key is None:
                journal.failed(step.id, "not carried out")
            else:
                lost = (kind.name, key if kind.key_given else step.old_key)
                old = last_known(lost, successors, live)
                stays = step.is_copy and kind.scope is Scope.ACCOUNT and old == lost
                journal.done(step.id, old, key, stays=stays)


def _new_since(there: Target, kind: Kind, snapshot_id: int) -> dict[str, Document]:
    """Objects that were not there at a snapshot, and that no other step made."""
    source, past = there.source_of(kind), there.mirror.past
    before_id = there.mirror.sibling(snapshot_id, source)
    before = {key for key, _ in past.state(source, kind, before_id)}
    made = there.journal.made()
    return {
        key: document
        for key, document in past.state(source, kind)
        if key not in before and (kind.name, key) not in made
    }


def _hashes(
    hands: Hands,
    kind: Kind,
    steps: Sequence[Begun],
    candidates: Mapping[str, Document],
) -> dict[str, str]:
    """{key: hash} of new files, where steps of this kind make files."""
    if not is_file(kind):
        return {}
    places = [step.sent.get("memoriID") for step in steps]
    return {
        key: _hash_of(hands, ref)
        for key, document in candidates.items()
        if document.get("memoriID") in places
        for ref in files_of(kind, document)
    }


def _hash_of(hands: Hands, ref: FileRef) -> str:
    known = hands.mirror.stored_files([ref.key])
    if ref.key in known:
        return str(known[ref.key]["sha256"])
    try:
        with hands.store.receive() as incoming:
            download(hands.access, ref, incoming, limits=hands.means.limits)
            return incoming.keep().sha256
    except NotFound:
        return ""
    except RemoteError as error:
        raise BadAnswer(
            f"cannot tell whether an upload arrived: {error}", "try again later"
        ) from None
