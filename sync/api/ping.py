"""Telling a watcher outside that jobs are done, and how (as healthchecks.io wants it).

A watcher that hears nothing in time raises the alarm: that is what it is for. So nothing that goes
wrong here may stop a job.
"""

import requests
import structlog
from requests.utils import get_environ_proxies

from sync.api.pool import pool
from sync.errors import SyncError

_TIMEOUT_S = 5.0


class Ping:
    """A watcher's URL: it is as good as a password, and is never shown.

    Args:
        url: of the check; "" for none.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def start(self) -> None:
        """Say that a job begins."""
        self._send("/start")

    def end(self, exit_code: int) -> None:
        """Say how a job ended; 0 is success, and everything else is not."""
        self._send(f"/{exit_code}")

    def _send(self, what: str) -> None:
        if not self._url:
            return
        log = structlog.get_logger("ping")
        try:
            with (
                pool(1) as http,
                http.get(
                    self._url + what,
                    timeout=_TIMEOUT_S,
                    allow_redirects=False,
                    stream=True,
                    proxies=get_environ_proxies(self._url),
                ) as answer,
            ):
                if not answer.ok:
                    log.warning("ping.refused", what=what, status=answer.status_code)
        except (requests.RequestException, SyncError, ValueError) as error:
            # Its own message holds the URL.
            log.warning("ping.failed", what=what, why=type(error).__name__)
