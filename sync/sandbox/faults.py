"""Planned trouble: a WSGI layer that fails calls on order, and tells which order never came up."""

from __future__ import annotations

from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from threading import Lock
from typing import TYPE_CHECKING

from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from sync.sandbox.server import Sandbox


@dataclass(frozen=True)
class Fault:
    """One planned fault: which calls it strikes, and what happens then.

    Attributes:
        method: of the calls; "*" for any.
        path: pattern of the calls, as in `fnmatch`, in any letter case.
        nth: the first call to strike, counted from 1 among those that match; None: every one.
        times: how many calls to strike from `nth` on; without `nth` there is no limit.
        status, body, headers: answer this instead. A status of 200 with HTML or half a JSON is
            a fault too.
        cut: send only so many bytes of the answer but declare its whole length, then close.
        after: carry the call out before it fails, as when an answer gets lost.
        do: run this first, with the sandbox, then answer normally (or as ordered above).
    """

    path: str
    method: str = "GET"
    nth: int | None = None
    times: int = 1
    status: int | None = None
    body: bytes | str = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    after: bool = False
    do: Callable[[Sandbox], object] | None = None

    def __post_init__(self) -> None:
        if self.status is None and self.cut is None and self.do is None:
            raise ValueError("the fault orders nothing: give status, cut or do")

    @property
    def carries_out(self) -> bool:
        """Whether the call reaches the remote."""
        return self.after or self.status is None

    def matches(self, method: str, path: str) -> bool:
        """Whether a call is of the sort that this fault waits for."""
        return self.method.upper() in ("*", method) and fnmatchcase(path, self.path.lower())

    def strikes(self, count: int) -> bool:
        """Whether it strikes the call that matches as the `count`th."""
        return self.nth is None or self.nth <= count < self.nth + self.times


class FaultSet:
    """Faults for one sandbox; of several that match a call, the first planned one strikes."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self.faults = list(faults)
        self._seen = [0] * len(self.faults)
        self._struck = [0] * len(self.faults)
        self._lock = Lock()

    @property
    def unstruck(self) -> list[Fault]:
        """Planned faults that never struck."""
        with self._lock:
            pairs = zip(self.faults, self._struck, strict=True)
            return [fault for fault, struck in pairs if not struck]

    def check(self) -> None:
        """Complain about faults that never struck.

        Raises:
            AssertionError: naming them; a test that plans a fault must meet it.
        """
        unstruck = self.unstruck
        if unstruck:
            names = ", ".join(f"{fault.method} {fault.path} nth={fault.nth}" for fault in unstruck)
            raise AssertionError(f"planned faults that never struck: {names}")

    def wrap(self, app: WSGIApplication, sandbox: Sandbox) -> WSGIApplication:
        """Put the faults before an app."""

        def faulty(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            fault = self._next(environ["REQUEST_METHOD"], environ["PATH_INFO"].lower())
            if fault is None:
                return app(environ, start_response)
            if fault.do is not None:
                fault.do(sandbox)
            if fault.status is None and fault.cut is None:
                return app(environ, start_response)
            return _answer(fault, app, environ, start_response)

        return faulty

    def _next(self, method: str, path: str) -> Fault | None:
        """Count the call with every fault that matches; choose the one to strike."""
        chosen = None
        with self._lock:
            for index, fault in enumerate(self.faults):
                if not fault.matches(method, path):
                    continue
                self._seen[index] += 1
                if chosen is None and fault.strikes(self._seen[index]):
                    self._struck[index] += 1
                    chosen = fault
        return chosen


def _answer(
    fault: Fault, app: WSGIApplication, environ: WSGIEnvironment, start_response: StartResponse
) -> Iterable[bytes]:
    response = Response.from_app(app, environ, buffered=True) if fault.carries_out else Response()
    if fault.status is not None:
        response = Response(fault.body, fault.status, {"Content-Type": "text/html"})
        response.headers.update(fault.headers)
    response.content_length = len(response.get_data())
    whole = response(environ, start_response)
    return whole if fault.cut is None else [response.get_data()[: fault.cut]]
