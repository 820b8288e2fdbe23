"""Seen from outside: `/healthz` for whoever watches, `/metrics` for Prometheus. Only reads."""

from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from datetime import timedelta
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, jsonify
from prometheus_client import CONTENT_TYPE_LATEST
from waitress import wasyncore
from waitress.server import create_server

from sync.app import App
from sync.errors import StorageError, SyncError
from sync.status import Standing, status
from sync.web.metrics import Metrics
from sync.when import duration

__all__ = ["Metrics", "Pages"]

_UNWELL = 503


class Pages:
    """Shown from threads of their own, at one address.

    Args:
        app_now: gives the program with the settings as they are now.
        waits_for: says what keeps the service from its work now, or "".
        metrics: what the jobs told.
    """

    def __init__(
        self, app_now: Callable[[], App], waits_for: Callable[[], str], metrics: Metrics
    ) -> None:
        self._site = _make_site(app_now, waits_for, metrics)
        self._shown = ExitStack()

    def show_at(self, listen: str) -> int:
        """Show them there, and no longer where they were.

        Args:
            listen: `host:port`; port 0 takes a free one; "" shows nothing.

        Returns:
            The port, 0 if nothing is shown.

        Raises:
            StorageError: nothing can listen there; they are shown where they were.
        """
        server = _server(listen, self._site) if listen else None
        self._shown.close()
        if server is None:
            return 0
        thread = Thread(target=server.run, name="web", daemon=True)
        thread.start()
        self._shown.callback(thread.join, 1)
        self._shown.callback(server.close)
        return _port_of(server)

    def close(self) -> None:
        """Show nothing more."""
        self._shown.close()


def _make_site(app_now: Callable[[], App], waits_for: Callable[[], str], metrics: Metrics) -> Flask:
    site = Flask("sync.web")

    @site.get("/healthz")
    def healthz() -> tuple[Response, int]:
        app, waiting = app_now(), [*filter(None, [waits_for()])]
        try:
            with app.reading() as mirror:
                standing = status(mirror, app.backed_up, app.memoris)
        except SyncError as error:
            return jsonify({"status": "unwell", "why": [*waiting, str(error)]}), _UNWELL
        names = {each.name for each in app.config.schedule}
        why = [*waiting, *unwell(standing, duration(app.config.service.max_age), names)]
        is_well = not why
        told = {"status": "well" if is_well else "unwell", "why": why, "sources": _ages(standing)}
        return jsonify(told), 200 if is_well else _UNWELL

    @site.get("/metrics")
    def exposed() -> Response:
        app = app_now()
        try:
            with app.reading() as mirror:
                body = metrics.exposed(mirror)
        except SyncError:
            # What is missing tells Prometheus, and `/healthz` tells why.
            body = metrics.exposed(None)
        return Response(body, content_type=CONTENT_TYPE_LATEST)

    return site


def unwell(standing: Standing, max_age: timedelta, names: Collection[str]) -> Iterator[str]:
    """Everything that should worry a human. Pure.

    That the remote lacks files is no reason: nothing here can change it.

    Args:
        standing: of a mirror.
        max_age: how long ago a source may have been seen whole.
        names: of what the service does.
    """
    for job in standing.helpless:
        if job.name in names:
            yield f"{job.name} ended with {job.exit_code}: {job.error or 'see status and the log'}"
    for each in standing.too_old(max_age):
        at = each.complete_at
        seen = f"was last seen whole at {at:%Y-%m-%d %H:%M} UTC" if at else "was never seen whole"
        yield f"{each.source.name} {seen}"
    for name in standing.never:
        yield f"{name} was never backed up"
    if not standing.sources:
        yield "nothing was ever backed up"


def _ages(standing: Standing) -> list[dict[str, Any]]:
    return [
        {
            "scope": each.source.scope,
            "name": each.source.name,
            "remote_id": each.source.remote_id,
            "complete_at": each.complete_at and each.complete_at.isoformat(),
        }
        for each in standing.sources
    ]


def _server(listen: str, site: Flask) -> Any:
    place = urlsplit(f"//{listen}")
    channels: dict[int, Any] = {}
    try:
        return create_server(site, host=place.hostname, port=place.port, threads=2, map=channels)
    except (OSError, ValueError) as error:
        wasyncore.close_all(channels)
        # A name that leads nowhere is a `ValueError` to waitress.
        why = getattr(error, "strerror", None) or "there is no such host"
        raise StorageError(
            f"cannot listen on {listen}: {why}", "set `listen` in [service]"
        ) from None


def _port_of(server: Any) -> int:
    # A name, such as localhost, may stand for several addresses.
    several = getattr(server, "effective_listen", None)
    return int(several[0][1] if several else server.effective_port)
