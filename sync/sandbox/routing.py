"""From a table of routes to a WSGI app: envelope, errors and the log of calls.

A route is a template of aisuru-openapi.yaml and a handler. A handler gets a `Request` and
returns the fields of its answer, or raises a `Refusal`; everything that all answers share
happens here once.
"""

from __future__ import annotations

import itertools
import json
import logging
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import flask
import msgspec
from werkzeug.exceptions import (
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
)
from werkzeug.wrappers import Response

from sync.sandbox import shapes
from sync.sandbox.remote import Refusal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, MutableSequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from sync.sandbox.remote import Remote, Session

log = logging.getLogger(__name__)

MAX_INT32 = 2**31 - 1
UNKNOWN_ROUTE = "(unknown)"


@dataclass(frozen=True)
class Call:
    """One answered call; the template instead of the path, so that no secret is in it."""

    method: str
    template: str
    status: int
    result_code: int


@dataclass(frozen=True)
class Request:
    """What a handler works with: the remote and the segments of the path."""

    remote: Remote
    args: Mapping[str, str]

    def session(self) -> Session:
        """The live session of the path, whoever opened it."""
        return self.remote.session(self.args["strSessionID"])

    def giver(self) -> Session:
        """The live session of the path, which must be the Giver's."""
        return self.remote.giver_session(self.args["strSessionID"])

    def check_token(self) -> None:
        """Insist on a live login token in the path."""
        self.remote.check_token(self.args["strToken"])

    def body(self, shape: type[shapes.Body]) -> shapes.Body:
        """Read the JSON body (see `shapes.read`)."""
        return shapes.read(flask.request.get_data(), shape)

    def page(self) -> slice:
        """The part of a listing that the path asks for (aisuru-api.md 6).

        Raises:
            Refusal: 400, `from` or `howMany` is no positive int32 (aisuru-api.md 14, assumption).
        """
        if "from" not in self.args:
            return slice(0, None)
        start, how_many = _int32(self.args["from"], 0), _int32(self.args["howMany"], 1)
        if self.remote.page_cap is not None:
            how_many = min(how_many, self.remote.page_cap)
        return slice(start, start + how_many)


Answer = dict[str, Any] | Response
"""Fields beside the envelope's, or a whole response where the answer is not JSON."""


@dataclass(frozen=True)
class Route:
    """One operation: method, path template and who answers.

    A last `{name*}` in the template takes several segments.
    """

    method: str
    template: str
    handler: Callable[[Request], Answer]

    def args(self, values: list[str]) -> dict[str, str]:
        """The parts of a path by their names in the template."""
        return dict(zip(re.findall(r"{(\w+)\*?}", self.template), values, strict=True))


class App(flask.Flask):
    """The WSGI app that answers for a remote.

    Args:
        remote: the state that handlers work on.
        routes: the table.
        lock: held while a call is answered.
        calls: where answered calls are noted.
        http_failure_status: whether an Engine failure is also an HTTP failure; False answers
            HTTP 200 (aisuru-api.md 2: both switchable).
    """

    def __init__(
        self,
        remote: Remote,
        routes: Iterable[Route],
        *,
        lock: AbstractContextManager[object],
        calls: MutableSequence[Call],
        http_failure_status: bool,
    ) -> None:
        super().__init__(__name__, static_folder=None)
        self._remote = remote
        self._paths = _Segment.tree(routes)
        self._lock = lock
        self._calls = calls
        self._http_failure_status = http_failure_status
        self._numbers = itertools.count(1)
        self.register_error_handler(HTTPException, self._fail)

    def dispatch_request(self) -> Response:
        """Find the route and answer; in the place of Flask's own routing, which minds case."""
        with self._lock:
            method = "GET" if flask.request.method == "HEAD" else flask.request.method
            segment, values = self._paths.find(flask.request.path.split("/"))
            if segment is None or not segment.routes:
                raise NotFound
            if method not in segment.routes:
                raise MethodNotAllowed
            route = flask.g.route = segment.routes[method]
            try:
                result = route.handler(Request(self._remote, route.args(values)))
            except Refusal as refusal:
                http = refusal.code if refusal.code > 0 and self._http_failure_status else 200
                return self._envelope(refusal.code, str(refusal), refusal.extra, http)
            if isinstance(result, Response):
                self._note(result.status_code, 0)
                return result
            return self._envelope(0, "Ok", result, 200)

    def log_exception(
        self,
        exc_info: tuple[type, BaseException, TracebackType] | tuple[None, None, None],
    ) -> None:
        """Log a bug by its template: Flask would log the path, and that holds the session."""
        log.error("sandbox.failed route=%s", _template(), exc_info=exc_info)

    def _fail(self, problem: HTTPException) -> Response:
        # Unknown paths and bugs fail in HTTP whatever the switch says: a web server answers there.
        code = problem.code or InternalServerError.code
        with self._lock:
            return self._envelope(code, problem.name, {}, code)

    def _envelope(self, code: int, message: str, fields: Mapping[str, Any], http: int) -> Response:
        answer = {
            **fields,
            "requestID": next(self._numbers),
            "requestDateTime": self._remote.stamp(),
            "resultCode": code,
            "resultMessage": message,
        }
        self._note(http, code)
        return flask.Response(_encode(answer), http, mimetype="application/json")

    def _note(self, http: int, code: int) -> None:
        self._calls.append(Call(flask.request.method, _template(), http, code))


def _template() -> str:
    route: Route | None = flask.g.get("route")
    return route.template.replace("*", "") if route else UNKNOWN_ROUTE


def _encode(answer: dict[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(answer)
    except (UnicodeEncodeError, OverflowError):
        # A lone surrogate, which JSON can spell but UTF-8 cannot, or a very large integer.
        return json.dumps(answer).encode()


def _int32(text: str, least: int) -> int:
    if not re.fullmatch(r"-?\d{1,10}", text, re.ASCII) or not least <= int(text) <= MAX_INT32:
        raise Refusal(400, f"The value '{text}' is not valid")
    return int(text)


@dataclass
class _Segment:
    """A place in the tree of path templates: what may follow, and the routes that end here.

    Fixed segments match in any letter case, as the service apparently does (aisuru-api.md 1);
    the others are data and stay as they are.
    """

    fixed: dict[str, _Segment] = field(default_factory=dict)
    free: _Segment | None = None
    takes_rest: bool = False
    routes: dict[str, Route] = field(default_factory=dict)

    @classmethod
    def tree(cls, routes: Iterable[Route]) -> _Segment:
        """Join the templates of routes into one tree; gives its root."""
        root = cls()
        for route in routes:
            segment = root
            for text in route.template.split("/"):
                if text.startswith("{"):
                    segment.free = segment = segment.free or cls()
                    segment.takes_rest = text.endswith("*}")
                else:
                    segment = segment.fixed.setdefault(text.lower(), cls())
            segment.routes[route.method] = route
        return root

    def find(self, texts: list[str]) -> tuple[_Segment | None, list[str]]:
        """Where a path leads, and what it carries."""
        segment, values = self, list[str]()
        for index, text in enumerate(texts):
            if text.lower() in segment.fixed:
                segment = segment.fixed[text.lower()]
            elif segment.free and text:
                segment = segment.free
                if segment.takes_rest:
                    return segment, [*values, "/".join(texts[index:])]
                values.append(text)
            else:
                return None, []
        return segment, values
