"""A WSGI layer that robs calls that write of their answers, carried out or not."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

HARMLESS = ("/api/v2/login", "/api/v2/logout", "/memori/v2/session")
PAGE = "<html>an hour of maintenance</html>"
TROUBLES: Mapping[str, tuple[bool, int, str | None]] = {
    "an error": (True, 500, ""),
    "half an answer": (True, 200, None),
    "a page": (True, 200, PAGE),
    "a page that is not found": (True, 404, PAGE),
    "a gateway in time out": (True, 504, PAGE),
    "an error before": (False, 500, ""),
    "a page before": (False, 502, PAGE),
}
"""{name: (is the call carried out, status, body; None: the real answer, cut)}."""


class Robber:
    """Robs the nth call that writes, and others; calls count over all threads.

    Args:
        troubles: {n: name of the trouble}, n from 1.

    Attributes:
        count: calls that write so far.
    """

    def __init__(self, troubles: Mapping[int, str]) -> None:
        self.count = 0
        self._troubles = troubles
        self._lock = Lock()

    def rob(self, troubles: Mapping[int, str]) -> None:
        """Plan anew: count from here."""
        with self._lock:
            self.count, self._troubles = 0, troubles

    def wrap(self, app: WSGIApplication) -> WSGIApplication:
        """Put the robber before an app."""

        def robbed(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            trouble = self._next(environ["REQUEST_METHOD"], environ["PATH_INFO"].lower())
            if trouble is None:
                return app(environ, start)
            is_carried_out, status, body = TROUBLES[trouble]
            response = Response()
            if is_carried_out:
                response = Response.from_app(app, environ, buffered=True)
            if body is not None:
                return Response(body, status, mimetype="text/html")(environ, start)
            data = response.get_data()
            response.content_length = len(data)
            response(environ, start)
            return [data[: len(data) // 2]]

        return robbed

    def _next(self, method: str, path: str) -> str | None:
        if method == "GET" or path.startswith(HARMLESS):
            return None
        with self._lock:
            self.count += 1
            return self._troubles.get(self.count)
