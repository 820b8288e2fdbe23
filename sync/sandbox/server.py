"""The sandbox: a world behind HTTP on loopback."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime
from threading import Event, RLock, Thread
from typing import TYPE_CHECKING, Self

from waitress import create_server, wasyncore

from sync.sandbox import (
    account,
    assets,
    chats,
    integrations,
    legacy,
    localization,
    media,
    memories,
    others,
    sessions,
)
from sync.sandbox.collection import routes
from sync.sandbox.people import PEOPLE
from sync.sandbox.remote import Remote
from sync.sandbox.routing import App, Call

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from wsgiref.types import WSGIApplication

    from sync.sandbox.faults import FaultSet
    from sync.sandbox.remote import Session, Token
    from sync.sandbox.world import World

HOST = "127.0.0.1"
THREADS = 8
LARGEST_BODY_BYTES = 2**40
REMEMBERED_CALLS = 10_000

ROUTES = [
    *account.ROUTES,
    *integrations.ROUTES,
    *assets.ROUTES,
    *legacy.ROUTES,
    *sessions.ROUTES,
    *routes(PEOPLE),
    *localization.ROUTES,
    *memories.ROUTES,
    *media.ROUTES,
    *others.ROUTES,
    *chats.ROUTES,
]
"""All that the sandbox answers."""


def _now() -> datetime:
    return datetime.now(UTC)


class Sandbox:
    """Our own AIsuru remote: Engine and Backend on one origin, on loopback.

    Use it as a context manager, or `start` and `stop`. It answers as aisuru-api.md says,
    and where that says "assumption", as the assumption goes.

    Args:
        world: what it serves; changed in place, and free again after `stop`.
        port: 0 takes a free one.
        middleware: wrapped around the app, inside the faults.
        faults: planned trouble.
        http_failure_status: whether an Engine failure is an HTTP failure too.
        page_cap: a silent maximum of `howMany`.
        clock: what time it is, aware.

    Attributes:
        lock: held while a call is answered; hold it to edit the world meanwhile.
        calls: the last calls, as templates.
    """

    def __init__(
        self,
        world: World,
        port: int = 0,
        *,
        middleware: Callable[[WSGIApplication], WSGIApplication] | None = None,
        faults: FaultSet | None = None,
        http_failure_status: bool = True,
        page_cap: int | None = None,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self.world = world
        self.lock = RLock()
        self.calls: deque[Call] = deque(maxlen=REMEMBERED_CALLS)
        self.remote = Remote(world, clock=clock, page_cap=page_cap)
        app: WSGIApplication = App(
            self.remote,
            ROUTES,
            lock=self.lock,
            calls=self.calls,
            http_failure_status=http_failure_status,
        )
        app = middleware(app) if middleware else app
        self._app = faults.wrap(app, self) if faults else app
        self._port = port
        self._stop: Callable[[], None] | None = None

    @property
    def url(self) -> str:
        """The origin of Engine, Backend and asset files."""
        return f"http://{HOST}:{self._port}"

    @property
    def sessions(self) -> dict[str, Session]:
        """The live sessions by ID."""
        return self.remote.sessions

    @property
    def tokens(self) -> dict[str, Token]:
        """The live logins by token."""
        return self.remote.tokens

    def start(self) -> None:
        """Listen, and answer on threads of its own.

        Raises:
            OSError: the port is taken.
        """
        sockets: dict[int, wasyncore.dispatcher] = {}
        try:
            server = create_server(
                self._app,
                map=sockets,
                host=HOST,
                port=self._port,
                threads=THREADS,
                # What is too large is for the remote to say, not for the web server.
                max_request_body_size=LARGEST_BODY_BYTES,
            )
        except OSError:
            wasyncore.close_all(map=sockets)
            raise
        self._port = server.effective_port
        stopping = Event()

        def serve() -> None:
            while not stopping.is_set():
                wasyncore.loop(timeout=30, use_poll=True, map=sockets, count=1)

        def stop() -> None:
            # Nothing may be closed while the loop or a task could still wake the trigger.
            stopping.set()
            server.pull_trigger()
            thread.join()
            server.task_dispatcher.shutdown()
            wasyncore.close_all(sockets)

        thread = Thread(target=serve, name="sandbox", daemon=True)
        self._stop = stop
        thread.start()

    def stop(self) -> None:
        """Close every socket and end every thread."""
        if self._stop is not None:
            self._stop()
            self._stop = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
