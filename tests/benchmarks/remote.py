"""Servers as processes of their own, for as long as a `with` lasts."""

import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from contestants import HERE


class Remote:
    """A page server that runs.

    Attributes:
        url: where.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    def switch(self, data: str, latency_ms: float) -> None:
        """Choose what the next sync sees."""
        url = f"{self.url}/control/{data}/{latency_ms}"
        with urllib.request.urlopen(urllib.request.Request(url, method="PUT")) as answer:
            answer.read()


@contextmanager
def serving(people: int) -> Iterator[Remote]:
    """Start a page server, and end it."""
    with running("page_server.py", "--people", str(people)) as url:
        yield Remote(url)


@contextmanager
def running(program: str, *args: str) -> Iterator[str]:
    """Start a server, and end it; yields its URL."""
    command = [sys.executable, str(HERE / program), *args]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            port = process.stdout.readline() if process.stdout else ""
            yield f"http://127.0.0.1:{int(port)}"
        finally:
            process.communicate()
