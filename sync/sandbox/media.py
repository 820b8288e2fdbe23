"""Media: what hangs on a memory, embedded in its document (aisuru-api.md 8.4).

A change of a medium does not touch its memory's `lastChangeTimestamp`: no source says which way
it is, and this is the harder one for a client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from sync.sandbox.collection import present, require
from sync.sandbox.remote import Refusal, Session
from sync.sandbox.routing import Answer, Request, Route
from sync.sandbox.shapes import MediumBody, field_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sync.sandbox.world import Document

CONTENT_LIMIT_BYTES = 10 * 1024
"""At most 10 KiB of UTF-8; the unit is an assumption (aisuru-api.md 8.4)."""


def new_media(session: Session, bodies: Iterable[Document]) -> list[Document]:
    """Check media that are sent and give each an ID of the remote's.

    Raises:
        Refusal: 400 or 422, for the first that is not right.
    """
    blank = dict.fromkeys(field_names(MediumBody))
    media = []
    for body in bodies:
        require(body, ("mimeType",))
        _check(body)
        media.append({"mediumID": str(uuid4()), **blank, **body, **session.created()})
    return media


def listing(request: Request) -> Answer:
    """List the media of a memory; no count, no pages."""
    return {"media": _media(request, request.giver())}


def clear(request: Request) -> Answer:
    """Remove all media of a memory."""
    _media(request, request.giver()).clear()
    return {}


def get(request: Request) -> Answer:
    """Show one medium."""
    return {"medium": _find(request, request.giver())}


def add(request: Request) -> Answer:
    """Append a medium."""
    session = request.giver()
    media = _media(request, session)
    media += new_media(session, [dict(request.body(MediumBody))])
    return {"mediumID": media[-1]["mediumID"]}


def change(request: Request) -> Answer:
    """Change a medium; it stays either a link or a text."""
    session = request.giver()
    medium = _find(request, session)
    body = present(request.body(MediumBody))
    _check(medium | body)
    medium |= body | session.changed()
    return {}


def remove(request: Request) -> Answer:
    """Remove one medium; a file behind its URL stays (aisuru-api.md 14)."""
    session = request.giver()
    _media(request, session).remove(_find(request, session))
    return {}


def _media(request: Request, session: Session) -> list[Document]:
    memory_id = request.args["strMemoryID"]
    memory = session.agent.memories.get(memory_id)
    if memory is None:
        raise Refusal(404, f'Memory with ID "{memory_id}" not found')
    if memory.get("media") is None:
        memory["media"] = []
    media: list[Document] = memory["media"]
    return media


def _find(request: Request, session: Session) -> Document:
    medium_id = request.args["strMediumID"]
    for medium in _media(request, session):
        if medium["mediumID"] == medium_id:
            return medium
    raise Refusal(404, f'Medium with ID "{medium_id}" not found')


def _check(medium: Document) -> None:
    url, content = medium.get("url"), medium.get("content")
    if (url is None) == (content is None):
        raise Refusal(422, "A medium has either a url or a content")
    size = len((content or "").encode(errors="surrogatepass"))
    if size > CONTENT_LIMIT_BYTES:
        raise Refusal(422, "The content is longer than 10 KiB")


_MEDIA = "/memori/v2/Media/{strSessionID}/{strMemoryID}"
_MEDIUM = "/memori/v2/Medium/{strSessionID}/{strMemoryID}"

ROUTES = [
    Route("GET", _MEDIA, listing),
    Route("DELETE", _MEDIA, clear),
    Route("POST", _MEDIUM, add),
    Route("GET", _MEDIUM + "/{strMediumID}", get),
    Route("PATCH", _MEDIUM + "/{strMediumID}", change),
    Route("DELETE", _MEDIUM + "/{strMediumID}", remove),
]
