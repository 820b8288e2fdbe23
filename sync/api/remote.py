"""Objects of the remote by kind: list, get, create, update, delete, upload.

An `Access` makes the calls of one source under its credential, the account's login token or a
Giver session, and gets a new one when it has ended (design 6.4). Documents come out with session
IDs replaced by marks and without anything that must not be kept.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from sync.api.envelope import NOT_FOUND
from sync.api.path import lacking, name_of
from sync.api.transport import FilePart, Transport
from sync.document import Document, is_objects, scrub
from sync.errors import AccessDenied, BadAnswer, CredentialGone, NotFound, Refused
from sync.kind import Kind, Route

T = TypeVar("T")

_IS_VALID = Route("GET", "/memori/v2/Session/{session}/IsValid", "isValid")
_RENEWALS = 20


@dataclass(frozen=True)
class Page:
    """A part of a listing.

    Attributes:
        documents: the objects, in the remote's order.
        count: how many the whole listing has, or None where the remote does not count.
    """

    documents: list[Document]
    count: int | None


class Access:
    """The calls of one source under its credential.

    Args:
        transport: makes them.
        parameter: what the credential is called in path templates: `session` or `token`.
        open_credential: gets a credential; asked again when one has ended.
    """

    def __init__(
        self, transport: Transport, parameter: str, open_credential: Callable[[], str]
    ) -> None:
        self.transport = transport
        self._parameter = parameter
        self._open = open_credential
        self._credential = ""
        self._renewals = 0
        self._lock = threading.Lock()

    @property
    def credential(self) -> Mapping[str, str]:
        """The credential as a path parameter."""
        return {self._parameter: self._credential}

    def open(self) -> None:
        """Get the first credential."""
        self._credential = self._open()
        self.transport.redactor.learn(self._credential)

    def call(
        self,
        route: Route,
        path: Mapping[str, Any],
        body: Any = None,
        *,
        part: FilePart | None = None,
    ) -> dict[str, Any]:
        """Make a call, once more under a new credential if the old one has ended.

        Raises:
            as `Transport.call`.
        """
        return self.under_credential(
            lambda credential: self.transport.call(route, {**path, **credential}, body, part=part)
        )

    def page(self, kind: Kind, start: int, how_many: int) -> Page:
        """One page of a kind's listing.

        Args:
            kind: what to list; its listing is paged.
            start: index of the first object.
            how_many: the most objects to ask for; the remote may give fewer.

        Raises:
            BadAnswer: the answer holds no list, or no count.
        """
        return self._list(kind, _route(kind.list, kind), {"from": start, "howMany": how_many})

    def unpaged(self, kind: Kind, parent: Document | None = None) -> Page:
        """A kind's whole listing in one answer.

        Args:
            kind: what to list.
            parent: the object whose children are listed, for kinds that have a parent.

        Raises:
            BadAnswer: the answer holds no list, or no count where one is due.
        """
        return self._list(kind, _route(kind.list, kind).unpaged, parent or {})

    def _list(self, kind: Kind, route: Route, path: Mapping[str, Any]) -> Page:
        query = None if route.query is None else {**path, **route.query}
        answer = self.call(route, path, query)
        found, count = answer.get(route.answer), answer.get(route.count)
        if not is_objects(found):
            raise BadAnswer(f"{name_of(route)}: `{route.answer}` is not a list of objects")
        is_counted = isinstance(count, int) and not isinstance(count, bool)
        if _route(kind.list, kind).paged and not is_counted:
            raise lacking(route, route.count)
        return Page([accept(kind, each) for each in found], count if is_counted else None)

    def find(self, kind: Kind, documents: Sequence[Document]) -> list[Document | None]:
        """Objects as they are now, asked for side by side; None for what is not there.

        A session that has ended says the same of every object (aisuru-api.md 2). No session comes
        back to life: one that lives after the last answer lived for all of them.

        Args:
            kind: a kind that has a `get`.
            documents: the objects as last seen: their fields address them.

        Raises:
            as `Transport.call`, but `NotFound`.
        """

        def look(credential: Mapping[str, str]) -> list[Document | None]:
            with ThreadPoolExecutor(self.transport.workers, thread_name_prefix="find") as pool:
                found = list(pool.map(lambda each: self._find(kind, each, credential), documents))
            if None in found and not self._is_alive(credential):
                raise CredentialGone(f"the {self._parameter} ended meanwhile", code=NOT_FOUND)
            return found

        return self.under_credential(look)

    def _find(
        self, kind: Kind, document: Document, credential: Mapping[str, str]
    ) -> Document | None:
        route = _route(kind.get, kind)
        try:
            answer = self.transport.call(route, {**_address(kind, document), **credential})
        except NotFound:
            return None
        found = answer.get(route.answer)
        if not isinstance(found, dict):
            raise lacking(route, route.answer)
        if kind.key_of(found) != kind.key_of(document):
            raise BadAnswer(f"{name_of(route)}: it answers with another {kind.name}")
        return accept(kind, found)

    def create(self, kind: Kind, document: Document) -> str:
        """Add an object; the remote chooses its key (aisuru-api.md 7).

        Args:
            kind: a kind that can be created.
            document: its writable fields are sent; others may address the parent.

        Returns:
            The new object's key.
        """
        route = _route(kind.create, kind)
        body = kind.body(document, create=True)
        created = self.call(route, _address(kind, document), body).get(route.answer)
        return kind.key_of(created if isinstance(created, dict) else {kind.key: created})

    def update(self, kind: Kind, document: Document, password: str = "") -> None:
        """Change an object.

        Args:
            kind: a kind that can be updated.
            document: its writable fields are sent; others address the object.
            password: the agent's own, for a kind whose updates must carry it.
        """
        route = _route(kind.update, kind)
        body = kind.body(document, create=False)
        if kind.proof and password:
            body[kind.proof] = password
        self.call(route, _address(kind, document), body)

    def delete(self, kind: Kind, document: Document) -> None:
        """Remove an object; one that is gone already is as good (design 6.5)."""
        route = _route(kind.delete, kind)
        try:
            self.call(route, _address(kind, document))
        except NotFound:
            return

    def upload(
        self, kind: Kind, document: Document, file_name: str, mime_type: str, path: Path
    ) -> Document:
        """Upload a file as a new asset (aisuru-api.md 9.1).

        Args:
            kind: the asset kind.
            document: `memoriID` and `engineMemoryID` say where it belongs.
            file_name: with the right extension, which the remote insists on.
            mime_type: of the part.
            path: where the bytes are.

        Returns:
            The new asset's document.
        """
        route = _route(kind.create, kind)
        part = FilePart(file_name, mime_type, path)
        created = self.call(route, document, part=part).get(route.answer)
        if not isinstance(created, dict):
            raise lacking(route, route.answer)
        return accept(kind, created)

    def under_credential(self, attempt: Callable[[Mapping[str, str]], T]) -> T:
        """Make an attempt with the credential, once more with a new one if the old has ended.

        Args:
            attempt: takes the credential as a path parameter.

        Raises:
            whatever `attempt` raises.
        """
        credential = self.credential
        try:
            return attempt(credential)
        except CredentialGone:
            pass
        except Refused as error:
            if isinstance(error, AccessDenied) or self._is_alive(credential):
                raise
        self._renew(credential)
        renewed = self.credential
        try:
            return attempt(renewed)
        except Refused as error:
            if isinstance(error, AccessDenied | CredentialGone) or self._is_alive(renewed):
                raise
            # What a dead session says of an object is no word about the object.
            raise CredentialGone(str(error), code=error.code) from None

    def _is_alive(self, credential: Mapping[str, str]) -> bool:
        """Tell a refused call from a dead session: both may answer 404 or 400 (aisuru-api.md 2)."""
        if "session" not in credential:
            return True
        try:
            return self.transport.call(_IS_VALID, credential).get(_IS_VALID.answer) is True
        except Refused:
            return False

    def _renew(self, gone: Mapping[str, str]) -> None:
        with self._lock:
            if self.credential != gone:
                return
            self._renewals += 1
            if self._renewals > _RENEWALS:
                raise BadAnswer(f"the {self._parameter} ended {_RENEWALS} times in one run")
            self.open()


def accept(kind: Kind, document: Document) -> Document:
    """A document as it may go on: session IDs marked, nothing in it that must not be kept."""
    return kind.accept(scrub(document))


def _route(route: Route | None, kind: Kind) -> Route:
    if route is None:
        raise ValueError(f"{kind.name} has no such call")
    return route


def _address(kind: Kind, document: Document) -> Document:
    return {**document, **kind.address(document)}
