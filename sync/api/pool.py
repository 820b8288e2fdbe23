"""Connections that threads may share: no cookies, no redirects, no look at the environment."""

import http.cookiejar
import os
import socket
import threading
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from sync.errors import UsageError
from sync.stop import Stop


def pool(concurrency: int, lines: "Lines | None" = None) -> requests.Session:
    """Connections for calls that go out side by side.

    Args:
        concurrency: how many to one host.
        lines: is told of each, so that all can be cut.

    Raises:
        UsageError: the certificates that the environment names are not there.
    """
    http_session = _Session()
    http_session.trust_env = False
    http_session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    bundle = os.environ.get("REQUESTS_CA_BUNDLE")
    if bundle and not Path(bundle).exists():
        raise UsageError("$REQUESTS_CA_BUNDLE names a file that is not there")
    http_session.verify = bundle or True
    adapter = _Adapter(lines, pool_connections=8, pool_maxsize=concurrency)
    http_session.mount("https://", adapter)
    http_session.mount("http://", adapter)
    return http_session


class _Session(requests.Session):
    """Leaves redirects alone.

    Even if told not to follow them, requests reads the whole body of one to see where it leads.
    """

    def get_redirect_target(self, _: requests.Response) -> None:
        """Nowhere; `Response.is_redirect` tells nevertheless."""


class Lines:
    """Open connections that a stop cuts, so that no silent host is waited for.

    Args:
        stop: asked for at most once.
        grace_s: how long after it a call may still come to its end. What only reads, as the
            fetching of files, needs none; then nothing is begun any more either.
    """

    def __init__(self, stop: Stop, grace_s: float = 0.0) -> None:
        self._stop = stop
        self._grace_s = grace_s
        self._is_over = False
        self._open: weakref.WeakSet[HTTPConnection] = weakref.WeakSet()
        # The signal handler may interrupt the very thread that holds it.
        self._lock = threading.RLock()
        stop.then(self._cut_in_time)

    def add(self, connection: HTTPConnection) -> None:
        """Take in a connection that was just made."""
        with self._lock:
            self._open.add(connection)
        # Until grace is over, sessions are closed.
        if self._is_over or (self._stop.event.is_set() and not self._grace_s):
            self.cut()

    def close(self) -> None:
        """There is nothing to cut any more."""
        self._stop.no_more(self._cut_in_time)

    def _cut_in_time(self) -> None:
        if not self._grace_s:
            self.cut()
            return
        timer = threading.Timer(self._grace_s, self.cut)
        timer.daemon = True
        timer.start()

    def cut(self) -> None:
        """End all reading from them at once: whoever waits sees a connection that broke."""
        self._is_over = True
        with self._lock:
            for connection in self._open:
                sock = connection.sock
                if isinstance(sock, socket.socket):
                    with suppress(OSError):
                        # Not the method of a TLS socket, which forgets the encryption as well.
                        socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Adapter(HTTPAdapter):
    """Tells of the connections that it makes."""

    def __init__(self, lines: Lines | None, **options: Any) -> None:
        self._pools = _pools(lines) if lines else None
        super().__init__(**options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        if self._pools:
            self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        if self._pools:
            manager.pool_classes_by_scheme = self._pools
        return manager


def _pools(lines: Lines) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            lines.add(self)

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            lines.add(self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}
