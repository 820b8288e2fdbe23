"""A remote that is not the bottleneck: one agent with many people, rendered before anyone asks.

It answers what a backup of people needs, and nothing else; whoever asks is let in. The people are
one piece of memory, and a page is a slice of it. It listens on loopback, writes its port to stdout
and ends when its stdin does. `PUT /control/{data}/{latency_ms}` chooses what the next sync sees:

* `base`: everyone as at first;
* `changed`: 1 % have another information;
* `shifting`: as `base`, but when half of the people have been handed out, the first ten are gone.
"""

import argparse
import asyncio
import json
import sys
from array import array
from bisect import bisect_right
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from people import LEAVING, is_changed, render

DATA = ("base", "changed", "shifting")
GIVER = {"giverTag": "🎁", "giverPIN": "000000"}
AGENT = {"memoriID": "bench-agent", "engineMemoriID": "bench-engine", "name": "Bench", **GIVER}
SESSION = "7d3c0f2e-51f5-4a0c-9a77-2f40bd6c1e55"
_STATE = {"currentTag": GIVER["giverTag"], "currentTagAuthenticated": True}
_OK = {
    "requestID": 1,
    "requestDateTime": "2026-01-01T00:00:00Z",
    "resultCode": 0,
    "resultMessage": "Ok",
}
_NOT_FOUND = {**_OK, "resultCode": 404, "resultMessage": "Not found"}
_USER = {"userID": "bench-user", "userName": "bench"}
FIXED: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "Login"): {"token": "bench-token", "user": _USER},
    ("GET", "User"): {"user": _USER},
    ("POST", "Logout"): {},
    ("GET", "Memori"): {"memori": [AGENT], "totalCount": 1},
    ("GET", "Assets"): {"assets": []},
    ("GET", "Badges"): {"badges": []},
    ("POST", "Session"): {"sessionID": SESSION, "currentState": _STATE},
    ("DELETE", "Session"): {},
}
"""{method and what the path names: what is answered beside the usual fields}"""

Answer = tuple[int, Sequence[bytes | memoryview]]
"""HTTP status and the parts of the body."""


class People:
    """Everyone, rendered one behind the other."""

    def __init__(self) -> None:
        self._text = bytearray()
        self._starts = array("q", [0])

    def add(self, document: bytes) -> None:
        """Append one; not after a `part` was handed out."""
        self._text += document + b","
        self._starts.append(len(self._text))

    def __len__(self) -> int:
        return len(self._starts) - 1

    def part(self, first: int, last: int) -> memoryview:
        """Those from `first` up to and without `last`, with commas between them."""
        first, last = min(first, len(self)), min(last, len(self))
        return memoryview(self._text)[self._starts[first] : max(self._starts[last] - 1, 0)]

    def number_of(self, key: str) -> int:
        """Where someone is, or -1."""
        at = self._text.find(f'{{"personID":"{key}"'.encode())
        return bisect_right(self._starts, at) - 1 if at >= 0 else -1


class Remote:
    """What the server knows, and how it answers; no I/O.

    Attributes:
        latency_s: how long a page takes.
    """

    def __init__(self, number: int) -> None:
        self.latency_s = 0.0
        self._base, self._changed = People(), People()
        for each in range(number):
            document = render(each, changed=False)
            self._base.add(document)
            self._changed.add(render(each, changed=True) if is_changed(each) else document)
        self._switch("base", 0)

    def answer(self, method: str, path: str) -> tuple[float, Answer]:
        """How a call is answered, and after how many seconds."""
        wait_s, answer = 0.0, as_json(_NOT_FOUND, 404)
        match path.strip("/").split("/"):
            case ["memori", "v2", "People", _, first, how_many]:
                wait_s, answer = self.latency_s, self._page(int(first), int(how_many))
            case ["memori", "v2", "People", _]:
                wait_s, answer = self.latency_s, self._page(0, len(self._people))
            case ["memori", "v2", "Person", _, key] if method == "GET":
                answer = self._person(key)
            case ["memori", "v2", "Session", _, "IsValid"]:
                answer = as_json({"isValid": True})
            case ["control", data, latency_ms] if method == "PUT" and data in DATA:
                self._switch(data, float(latency_ms))
                answer = as_json({})
            case [_, "v2", name, *_] if (method, name) in FIXED:
                answer = as_json(FIXED[method, name])
        return wait_s, answer

    def _switch(self, data: str, latency_ms: float) -> None:
        self._people = self._changed if data == "changed" else self._base
        self._is_shifting = data == "shifting"
        self.latency_s = latency_ms / 1000
        self._gone = self._handed_out = 0

    def _page(self, first: int, how_many: int) -> Answer:
        people = self._people
        if self._is_shifting and self._handed_out >= len(people) // 2:
            self._gone = LEAVING
        first += self._gone
        last = min(first + how_many, len(people))
        self._handed_out += max(last - first, 0)
        head = b'{"count":%d,"people":[' % (len(people) - self._gone)
        return 200, (head, people.part(first, last), b"]," + json.dumps(_OK).encode()[1:])

    def _person(self, key: str) -> Answer:
        number = self._people.number_of(key)
        if number < self._gone:
            return as_json(_NOT_FOUND, 404)
        part = self._people.part(number, number + 1)
        return 200, (b'{"person":', part, b"," + json.dumps(_OK).encode()[1:])


def as_json(fields: dict[str, Any], status: int = 200) -> Answer:
    """An answer of the remote that holds some fields."""
    return status, (json.dumps({**_OK, **fields}).encode(),)


class Connection(asyncio.Protocol):
    """One connection, kept alive; requests come one after another."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, rest = self._received.partition(b"\r\n\r\n")
        if not end or len(rest) < content_length(head):
            return
        self._received = rest[content_length(head) :]
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
        wait_s, (status, parts) = self._remote.answer(method, path)
        if wait_s:
            asyncio.get_running_loop().call_later(wait_s, self._send, status, parts)
        else:
            self._send(status, parts)

    def _send(self, status: int, parts: Sequence[bytes | memoryview]) -> None:
        head = b"HTTP/1.1 %d -\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._transport.writelines((head % (status, sum(map(len, parts))), *parts))


def until_stdin_ends(serving: Callable[[], Coroutine[Any, Any, asyncio.Server]]) -> None:
    """Serve, write the port to stdout, and end when stdin does."""

    async def run() -> None:
        server, ended = await serving(), asyncio.Event()
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()

        def heard() -> None:
            if not sys.stdin.read(1):
                ended.set()

        asyncio.get_running_loop().add_reader(sys.stdin, heard)
        await ended.wait()

    asyncio.run(run())


def content_length(head: bytes) -> int:
    """How long the body behind a request's head is."""
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line[15:])
    return 0


def main() -> None:
    """Read the command line, and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    options = parser.parse_args()
    remote = Remote(options.people)

    async def serving() -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(lambda: Connection(remote), "127.0.0.1", options.port)

    until_stdin_ends(serving)


if __name__ == "__main__":
    main()
