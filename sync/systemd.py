"""Telling systemd how the service is (`sd_notify`): a datagram to the socket that it names.

And telling its journal how grave a line is: by a priority of syslog in front of it (sd-daemon(3)).
"""

import os
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Event, Thread


class Systemd:
    """Who started us and wants to know; nobody, if the environment names no socket.

    Args:
        environ: with `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = environ.get("NOTIFY_SOCKET", "")
        period_us = environ.get("WATCHDOG_USEC", "")
        is_for_us = environ.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        self._watchdog_s = int(period_us) / 1e6 if period_us.isdecimal() and is_for_us else 0.0

    def tell(self, **facts: str) -> None:
        """Say something, such as READY="1" or STATUS="idle"; that nobody listens is no failure."""
        if not self._address:
            return
        # A name that begins with @ is none of the file system.
        address = self._address.replace("@", "\0", 1)
        lines = "\n".join(f"{name}={' '.join(value.split())}" for name, value in facts.items())
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            # Whoever does not listen is not waited for.
            sock.setblocking(False)
            sock.sendto(lines.encode(errors="replace"), address)

    @contextmanager
    def beating(self, is_alive: Callable[[], bool]) -> Iterator[None]:
        """Feed the watchdog from a thread, as long as the block lasts and the service lives."""
        is_over = Event()

        def beat() -> None:
            while not is_over.wait((self._watchdog_s or 180.0) / 3):
                if is_alive():
                    self.tell(WATCHDOG="1")

        thread = Thread(target=beat, name="watchdog", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()


def is_journal() -> bool:
    """Is stderr the stream of the journal that systemd names (systemd.exec(5))?"""
    try:
        stat = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stat.st_dev}:{stat.st_ino}"


def with_priority(text: str, priority: int) -> str:
    """Lines as the journal sorts them: 3 is an error, 4 a warning, 6 for information."""
    return "\n".join(f"<{priority}>{line}" for line in text.splitlines())
