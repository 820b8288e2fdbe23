"""Memories: what an agent knows (aisuru-api.md 8.3)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sync.sandbox.collection import Collection, object_routes, page, require
from sync.sandbox.media import new_media
from sync.sandbox.remote import Refusal, Session
from sync.sandbox.routing import Answer, Request, Route
from sync.sandbox.shapes import MemoryBody, MemoryChangeBody

if TYPE_CHECKING:
    from sync.sandbox.world import Agent, Document

TYPES = ("Question", "Story", "Default", "CompletionDraft", "ExpertReference")

FILTERS: dict[str, tuple[str, ...]] = {
    "ALL": TYPES,
    "ALL_WITHOUT_DRAFTS": ("Question", "Story", "Default", "ExpertReference"),
    "CONTENTS": ("Question", "Story"),
    "DEFAULTS": ("Default",),
    "DRAFTS": ("CompletionDraft",),
    "EXPERT_REFERENCES": ("ExpertReference",),
}

DEFAULT_FILTER = "CONTENTS"
"""What a list without type shows is undocumented; the sandbox hides much, so that a client that
does not say ALL is found out."""

PLACE = ("placeName", "placeLatitude", "placeLongitude", "placeUncertaintyKm")
NO_DATE = "0001-01-01T00:00:00"
"""The date that clears a date; "-" clears a place or a receiver (aisuru-api.md 7)."""


def listing(request: Request) -> Answer:
    """List memories of a type, whole or a page."""
    agent = request.giver().agent
    name = request.args.get("type", DEFAULT_FILTER).upper()
    if name not in FILTERS:
        raise Refusal(400, f"The value '{name}' is not a type of memories")
    memories = agent.memories.values()
    if name == "ALL":
        return page(MEMORIES, request, agent, memories)
    wanted = [memory for memory in memories if memory.get("memoryType") in FILTERS[name]]
    return page(MEMORIES, request, agent, wanted)


def access(request: Request) -> Answer:
    """Count a reading of a memory; any session may."""
    session = request.session()
    memory = MEMORIES.find(request, session)
    memory["lastRead"] = session.stamp()
    memory["readOccurrences"] = (memory.get("readOccurrences") or 0) + 1
    return {}


def _complete(session: Session, document: Document, body: Document) -> None:
    """Check a new memory and give its parts what the remote assigns."""
    document |= {"lastRead": None, "readOccurrences": 0}
    _clear(body)
    _check(session, body)
    body["answers"] = _answers(session, body["answers"])
    body["media"] = new_media(session, body.get("media") or [])


def _change(session: Session, document: Document, body: Document) -> None:
    """Check a change; lists that are present replace the whole list."""
    _clear(body)
    _check(session, body)
    if "answers" in body:
        require(body, ("answers",))
        body["answers"] = _answers(session, body["answers"])
    if "media" in body:
        body["media"] = new_media(session, body["media"])
    if body.pop("markAsRead", False):
        document["lastRead"] = session.stamp()


def _clear(body: Document) -> None:
    """Turn the clearing values into nothing (aisuru-api.md 7)."""
    if body.get("receiverID") == "-":
        body["receiverID"] = None
    if body.get("placeName") == "-":
        body |= dict.fromkeys(PLACE)
    if (body.get("date") or "").startswith(NO_DATE):
        body |= dict.fromkeys(("date", "dateUncertaintyDays"))


def _check(session: Session, body: Document) -> None:
    if body.get("memoryType", "Question") not in TYPES:
        raise Refusal(400, "The memoryType is not valid")
    try:
        datetime.fromisoformat(body.get("date") or NO_DATE)
    except ValueError:
        raise Refusal(400, "The date is not valid") from None
    receiver_id = body.get("receiverID")
    if receiver_id is not None and receiver_id not in session.agent.people:
        raise Refusal(422, f'Person with ID "{receiver_id}" not found')


def _answers(session: Session, answers: list[Document]) -> list[Document]:
    for answer in answers:
        require(answer, ("text",))
    return [{"preformatted": None} | answer | session.created() for answer in answers]


def _show(agent: Agent, memory: Document) -> Document:
    """Add what is derived from the receiver."""
    receiver = agent.people.get(memory.get("receiverID") or "", {})
    return memory | {"receiverTag": receiver.get("tag"), "receiverName": receiver.get("name")}


MEMORIES = Collection(
    plural="Memories",
    singular="Memory",
    key="memoryID",
    listed_as="memories",
    shown_as="memory",
    body=MemoryBody,
    change_body=MemoryChangeBody,
    required=("memoryType", "answers"),
    on_add=_complete,
    on_change=_change,
    show=_show,
)

_LIST = "/memori/v2/Memories/{strSessionID}"

ROUTES = [
    *(Route("GET", _LIST + rest, listing) for rest in ("", "/{type}")),
    *(Route("GET", _LIST + "/{from}/{howMany}" + rest, listing) for rest in ("", "/{type}")),
    *object_routes(MEMORIES),
    Route("GET", "/memori/v2/MemoryAccess/{strSessionID}/{strMemoryID}", access),
]
