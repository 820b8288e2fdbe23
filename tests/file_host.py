"""A host of files on loopback that does what a test tells it to, however bad."""

import hashlib
import re
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Self

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
LARGE = b"\x89PNG" + hashlib.sha256(b"seed").digest() * 20_000


class Call:
    """One request, and the means to answer it badly.

    Attributes:
        headers: of the request.
        port: where the other side's connection begins.
    """

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self.headers = handler.headers
        self.port = handler.client_address[1]
        self._handler = handler

    def start(self, status: int = 200, **headers: Any) -> None:
        """Send the head of an answer; `Content_Length` is written as `Content-Length`."""
        self._handler.send_response(status)
        for name, value in {"Content_Type": "image/png", **headers}.items():
            self._handler.send_header(name.replace("_", "-"), str(value))
        self._handler.end_headers()

    def send(self, data: bytes) -> None:
        """Send bytes of a body; the other side may have gone."""
        self._handler.wfile.write(data)

    def hang_up(self) -> None:
        """Close the connection after this call."""
        self._handler.close_connection = True


Answer = Callable[[Call], None]


class FileHost:
    """Files by path; anything else is not found.

    Attributes:
        files: {path: its bytes, or what answers instead}.
        asked: the paths, queries included, in the order in which they were asked for.
        headers: everything that requests said besides.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes | Answer] = {}
        self.asked: list[str] = []
        self.headers: list[str] = []
        host = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                host.asked.append(self.path)
                host.headers += [f"{name}: {value}" for name, value in self.headers.items()]
                call, found = Call(self), host.files.get(self.path.partition("?")[0])
                try:
                    if callable(found):
                        found(call)
                    else:
                        status = 404 if found is None else 200
                        call.start(status, Content_Length=len(found or b""))
                        call.send(found or b"")
                except OSError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """The origin."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def cut_at(data: bytes, cuts: Iterable[int], etag: str = '"1"') -> Answer:
    """A file whose sending ends, time after time, after so many bytes of what was left to send."""
    waiting = iter(cuts)

    def answer(call: Call) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", call.headers.get("Range", ""))
        is_same = call.headers.get("If-Range") == etag
        start = int(asked[1]) if asked and is_same else 0
        rest = data[start:]
        headers = {"ETag": etag} if etag else {}
        if start:
            headers["Content_Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        call.start(206 if start else 200, Content_Length=len(rest), **headers)
        cut = next(waiting, None)
        call.send(rest[:cut])
        if cut is not None:
            call.hang_up()

    return answer


def in_turn(*answers: Answer) -> Answer:
    """One answer after another, the last one for ever."""
    waiting = iter(answers)

    def answer(call: Call) -> None:
        next(waiting, answers[-1])(call)

    return answer
