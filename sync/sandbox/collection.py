"""The plain collections of the Engine as data: list, page, get, add, change and remove.

A `Collection` says how a collection is called and where it is kept; its few special rules are
functions. `routes` makes the operations from it, so a new collection is one more description;
one that lacks an operation puts together the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from sync.sandbox.remote import Refusal, Session
from sync.sandbox.routing import Answer, Request, Route
from sync.sandbox.shapes import field_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from collections.abc import Collection as Sized

    from sync.sandbox.world import Agent, Document


def _nothing(_session: Session, _document: Document, _body: Document) -> None:
    """No rule beyond the common ones."""


def _leave(_session: Session, _document: Document) -> None:
    """No rule about removing."""


def _as_stored(_agent: Agent, document: Document) -> Document:
    return document


@dataclass(frozen=True)
class Collection:
    """One collection of an agent.

    Attributes:
        plural, singular: its two path segments.
        key: the field that holds the ID; also the name of the ID in paths, after `str`.
        listed_as, shown_as: the answer's field in lists and single gets.
        body: the typed dict of what may be sent (`shapes.py`).
        change_body: the same for a change, where it is another one.
        required: fields that may not be null or empty on add.
        on_add, on_change: rules of its own, called with the session, the document (on add the
            new one, else the present one) and the body; they may edit the body or refuse.
        on_remove: the same without a body.
        show: the document as listings show it.
        created_as: the answer's field after an add, if it is not the key's.
        is_open: anyone who talks with the agent may list and get, not its Giver alone.
    """

    plural: str
    singular: str
    key: str
    listed_as: str
    shown_as: str = ""
    body: type = dict
    change_body: type | None = None
    required: tuple[str, ...] = ()
    on_add: Callable[[Session, Document, Document], None] = _nothing
    on_change: Callable[[Session, Document, Document], None] = _nothing
    on_remove: Callable[[Session, Document], None] = _leave
    show: Callable[[Agent, Document], Document] = _as_stored
    created_as: str = ""
    is_open: bool = False

    def objects(self, agent: Agent) -> dict[str, Document]:
        """Where an agent keeps it."""
        return agent.collection(self.listed_as)

    def reader(self, request: Request) -> Session:
        """The session of the path, which must be one that may list and get."""
        return request.session() if self.is_open else request.giver()

    @property
    def key_arg(self) -> str:
        """The name of the ID's segment in path templates."""
        return f"str{self.key[0].upper()}{self.key[1:]}"

    def find(self, request: Request, session: Session) -> Document:
        """The object that the path names.

        Raises:
            Refusal: 404; the message speaks of the object, not of the session.
        """
        key = request.args[self.key_arg]
        try:
            return self.objects(session.agent)[key]
        except KeyError:
            raise Refusal(404, f'{self.singular} with ID "{key}" not found') from None


def list_route(collection: Collection) -> list[Route]:
    """The whole list and the pages of it (aisuru-api.md 6)."""

    def listing(request: Request) -> Answer:
        agent = collection.reader(request).agent
        return page(collection, request, agent, collection.objects(agent).values())

    path = f"/memori/v2/{collection.plural}/{{strSessionID}}"
    return [
        Route("GET", path, listing),
        Route("GET", path + "/{from}/{howMany}", listing),
    ]


def page(
    collection: Collection, request: Request, agent: Agent, documents: Sized[Document]
) -> Answer:
    """Answer the wanted part of a list; `count` always counts the whole (aisuru-api.md 6)."""
    part = request.page()
    wanted: Iterator[Document] = islice(documents, part.start, part.stop)
    shown = [collection.show(agent, document) for document in wanted]
    return {"count": len(documents), collection.listed_as: shown}


def get_route(collection: Collection) -> list[Route]:
    """One object by its ID."""

    def getting(request: Request) -> Answer:
        session = collection.reader(request)
        document = collection.find(request, session)
        return {collection.shown_as: collection.show(session.agent, document)}

    return [Route("GET", _object_path(collection), getting)]


def add_route(collection: Collection) -> list[Route]:
    """A new object; the remote assigns its ID and answers with that alone (aisuru-api.md 7)."""

    def adding(request: Request) -> Answer:
        session = request.giver()
        body: Document = request.body(collection.body)
        require(body, collection.required)
        key = str(uuid4())
        document: Document = {collection.key: key}
        collection.on_add(session, document, body)
        blank = dict.fromkeys(field_names(collection.body))
        collection.objects(session.agent)[key] = document | blank | body | session.created()
        return {collection.created_as or collection.key: key}

    return [Route("POST", f"/memori/v2/{collection.singular}/{{strSessionID}}", adding)]


def change_route(collection: Collection) -> list[Route]:
    """Fields that are present and not null change; the answer is bare (aisuru-api.md 7)."""

    def changing(request: Request) -> Answer:
        session = request.giver()
        document = collection.find(request, session)
        body = present(request.body(collection.change_body or collection.body))
        collection.on_change(session, document, body)
        document |= body | session.changed()
        return {}

    return [Route("PATCH", _object_path(collection), changing)]


def remove_route(collection: Collection) -> list[Route]:
    """The object goes; a second time it is not found (aisuru-api.md 7, assumption)."""

    def removing(request: Request) -> Answer:
        session = request.giver()
        document = collection.find(request, session)
        collection.on_remove(session, document)
        del collection.objects(session.agent)[document[collection.key]]
        return {}

    return [Route("DELETE", _object_path(collection), removing)]


def object_routes(collection: Collection) -> list[Route]:
    """All operations but the lists."""
    makers = (get_route, add_route, change_route, remove_route)
    return [route for make in makers for route in make(collection)]


def routes(collection: Collection) -> list[Route]:
    """All operations of a plain collection."""
    return [*list_route(collection), *object_routes(collection)]


def require(body: Document, names: Iterable[str]) -> None:
    """Insist on fields that are there and not empty.

    Raises:
        Refusal: 400.
    """
    for name in names:
        if body.get(name) in (None, "", []):
            raise Refusal(400, f"The {name} field is required")


def present(body: Any) -> Document:
    """What a PATCH changes: null means the same as absent (aisuru-api.md 7)."""
    return {name: value for name, value in body.items() if value is not None}


def _object_path(collection: Collection) -> str:
    return f"/memori/v2/{collection.singular}/{{strSessionID}}/{{{collection.key_arg}}}"
