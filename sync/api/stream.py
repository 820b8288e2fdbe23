"""Bodies on their way: how a file is asked for, and how what comes is read within bounds."""

import math
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from sync.api.envelope import NOT_MODIFIED, PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE
from sync.errors import BadAnswer, RemoteError, Unavailable

CHUNK_BYTES = 256 * 1024
_PART = re.compile(r"bytes (\d{1,18})-(\d{1,18})/(\d{1,18})")
_ANSWER_S = 600.0
_ANSWER_BYTES = 256 * 1024 * 1024


class Raw(Protocol):
    """A body as it is read from the network."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Whatever the case of their names."""

    def read1(self, amt: int, *, decode_content: bool) -> bytes:
        """What is here now, or the next that comes; b"" at the end."""


@dataclass(frozen=True)
class Body:
    """A file on its way: what the remote says of it, and its bytes.

    Attributes:
        mime_type: of the Content-Type header, without parameters.
        etag: the ETag header, or "".
        start: which byte of the file is the first one here.
        total: how many bytes the whole file has, or None if that is not told.
        has_end: the end is told apart from a cut, by a length or by the last chunk.
        chunks: the bytes; they may end before the file does, where only a part of it comes.
    """

    mime_type: str
    etag: str
    start: int
    total: int | None
    has_end: bool
    chunks: Iterable[bytes]


@dataclass(frozen=True)
class Ask:
    """How a file is asked for.

    Attributes:
        etag: the version of which something is at hand, or "".
        offset: how many bytes of it, 0 for all of them.
        deadline: of `time.monotonic()`: what is not here then is given up.
    """

    etag: str = ""
    offset: int = 0
    deadline: float = math.inf

    @property
    def headers(self) -> dict[str, str]:
        """As HTTP says it; a file is hashed as it is, so no encoding on the way."""
        headers = {"Accept-Encoding": "identity"}
        if self.offset:
            return headers | {"Range": f"bytes={self.offset}-", "If-Range": self.etag}
        return headers | ({"If-None-Match": self.etag} if self.etag else {})


@dataclass(frozen=True)
class Head:
    """What an answer says of a file before its bytes come.

    Attributes:
        status: of HTTP.
        headers: whatever the case of their names.
        is_chunked: the bytes come in chunks, and the last one says so.
        length: how many come, None if that is not told, or is no number.
    """

    status: int
    headers: Mapping[str, str]
    is_chunked: bool
    length: int | None

    @property
    def mime_type(self) -> str:
        """Without parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def is_unchanged(self, ask: Ask) -> bool:
        """Is the version at hand still the one?"""
        return self.status == NOT_MODIFIED and bool(ask.etag) and not ask.offset

    def is_rest(self, ask: Ask) -> bool:
        """Is this about the rest of a file, not about all of it?"""
        return bool(ask.offset) and self.status in (PARTIAL_CONTENT, RANGE_NOT_SATISFIABLE)

    def body(self, name: str, ask: Ask, chunks: Iterable[bytes]) -> Body:
        """The file.

        Args:
            name: of the call.
            ask: what was asked for.
            chunks: what comes.

        Raises:
            Unavailable, BadAnswer: it is not what was asked for, or does not say how long it is.
        """
        start, total = 0, None if self.is_chunked else self.length
        if self.is_rest(ask):
            start = ask.offset
            total = total_of(self.headers.get("Content-Range", ""), start)
            if total is None or self.headers.get("ETag", ask.etag) != ask.etag:
                raise Unavailable(f"{name}: another part came than was asked for")
        elif total is None and not self.is_chunked and "Content-Length" in self.headers:
            raise BadAnswer(f"{name}: the length of the file is no number")
        if self.headers.get("Content-Encoding", "identity").lower() != "identity":
            raise BadAnswer(f"{name}: the file came compressed, unasked")
        has_end = self.is_chunked or total is not None
        return Body(self.mime_type, self.headers.get("ETag", ""), start, total, has_end, chunks)


class Redirected(BadAnswer):
    """The remote sends elsewhere; where to is not part of the message, since it may be secret.

    Attributes:
        base: the URL that was asked for.
        location: what the answer says.
    """

    def __init__(self, name: str, base: str, location: str) -> None:
        super().__init__(f"{name}: redirected", "check `backend_url` and `engine_url`")
        self.base = base
        self.location = location


def total_of(content_range: str, offset: int) -> int | None:
    """How large a file is, of which a part comes; None if it is not what was asked for.

    Args:
        content_range: the Content-Range header, `bytes FIRST-LAST/TOTAL`.
        offset: where the part must begin; it may end before the file does (RFC 9110, 15.3.7).
    """
    said = _PART.fullmatch(content_range.strip())
    first, last, total = map(int, said.groups()) if said else (0, 0, 0)
    return total if first == offset and first <= last < total else None


def chunks_of(raw: Raw, deadline: float, late: RemoteError) -> Iterator[bytes]:
    """The body as it comes, unpacked.

    Args:
        raw: the body as urllib3 gives it.
        deadline: of `time.monotonic()`.
        late: is raised after it, however little comes at a time.
    """
    # To unpack what is not packed costs a copy.
    is_packed = "Content-Encoding" in raw.headers
    while chunk := raw.read1(CHUNK_BYTES, decode_content=is_packed):
        if time.monotonic() > deadline:
            raise late
        yield chunk


def read_all(name: str, raw: Raw) -> bytes:
    """A body that is to be understood as one; what comes packed must not grow without end."""
    data = bytearray()
    late = Unavailable(f"{name}: the answer was not here after {_ANSWER_S:g} seconds")
    for chunk in chunks_of(raw, time.monotonic() + _ANSWER_S, late):
        data += chunk
        if len(data) > _ANSWER_BYTES:
            raise BadAnswer(f"{name}: the answer is larger than {_ANSWER_BYTES >> 20} MiB")
    return bytes(data)
