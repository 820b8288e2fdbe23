"""A remote that has assets and nothing else, and gives their bytes as fast as the kernel can.

All files are of one size and differ in their first 16 bytes; the rest is one file on disk that
`sendfile` reads from the page cache. It listens on loopback, writes its port to stdout and ends
when its stdin does.
"""

import argparse
import asyncio
import os
import tempfile
from pathlib import Path

from page_server import FIXED, as_json, content_length, until_stdin_ends

_HEAD = 16
_STAMP = "2026-01-01T00:00:00Z"
_TYPES = {True: b"application/octet-stream", False: b"application/json"}


def path_of(number: int) -> str:
    """Where an asset is, by its number."""
    return f"/api/v2/Asset/{number:012x}.bin"


class Remote:
    """What is served.

    Args:
        files: how many.
        size_bytes: of each.
        rest: holds what all files end with.
        latency_s: how long a file takes to begin.
    """

    def __init__(self, files: int, size_bytes: int, rest: Path, latency_s: float) -> None:
        self._files = files
        self._latency_s = latency_s
        self._rest_bytes = size_bytes - _HEAD
        self._rest = rest
        self._url = ""

    async def serve(self, port: int) -> asyncio.Server:
        """Start to listen."""
        server = await asyncio.start_server(self._connection, "127.0.0.1", port)
        self._url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        return server

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with self._rest.open("rb") as rest:
            try:
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    await reader.readexactly(content_length(head))
                    method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ")
                    body, rest_bytes = self._answer(method, path)
                    if rest_bytes and self._latency_s:
                        await asyncio.sleep(self._latency_s)
                    length = len(body) + rest_bytes
                    writer.write(
                        b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n"
                        % (_TYPES[rest_bytes > 0], length)
                    )
                    writer.write(body)
                    await writer.drain()
                    if rest_bytes:
                        loop = asyncio.get_running_loop()
                        await loop.sendfile(writer.transport, rest, 0, rest_bytes)
            except (asyncio.IncompleteReadError, ConnectionError):
                writer.close()

    def _answer(self, method: str, path: str) -> tuple[bytes, int]:
        """How a body begins, and how many bytes of the shared rest follow."""
        _, _, _, name, *more = path.split("/")
        if name == "Asset":
            number = int(more[0].partition(".")[0], 16)
            return number.to_bytes(_HEAD, "big"), self._rest_bytes
        fields = {
            "Assets": {"assets": [self._asset(each) for each in range(self._files)]},
            "Memori": {"memori": [], "totalCount": 0},
        }
        _, parts = as_json(fields.get(name) or FIXED[method, name])
        return b"".join(parts), 0

    def _asset(self, number: int) -> dict[str, str]:
        return {
            "assetID": f"{number:032x}",
            "assetURL": self._url + path_of(number),
            "originalFileName": f"{number}.bin",
            "mimeType": "application/octet-stream",
            "creationTimestamp": _STAMP,
            "lastChangeTimestamp": _STAMP,
        }


def main() -> None:
    """Read the command line, and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--size-kib", type=int, default=64)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--port", type=int, default=0, help="0: any that is free")
    options = parser.parse_args()
    size_bytes = options.size_kib * 1024
    with tempfile.NamedTemporaryFile() as rest:
        rest.write(os.urandom(size_bytes))
        rest.flush()
        remote = Remote(options.files, size_bytes, Path(rest.name), options.latency_ms / 1000)
        until_stdin_ends(lambda: remote.serve(options.port))


if __name__ == "__main__":
    main()
