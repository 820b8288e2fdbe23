"""A file on its way: how it is asked for, and what comes."""

from collections.abc import Iterable
from dataclasses import dataclass

from sync.errors import BadAnswer


@dataclass(frozen=True)
class Body:
    """A file on its way: what the remote says of it, and its bytes.

    Attributes:
        mime_type: of the Content-Type header, without parameters.
        etag: the ETag header, or "".
        start: which byte of the file is the first one here.
        length: how many are announced, or None.
        chunks: the bytes; raises `Unavailable` if they end before the announced length.
    """

    mime_type: str
    etag: str
    start: int
    length: int | None
    chunks: Iterable[bytes]


@dataclass(frozen=True)
class Ask:
    """How a file is asked for.

    Attributes:
        etag: the version of which something is at hand, or "".
        offset: how many bytes of it, 0 for all of them.
    """

    etag: str = ""
    offset: int = 0

    @property
    def headers(self) -> dict[str, str]:
        """As HTTP says it; a file is hashed as it is, so no encoding on the way."""
        headers = {"Accept-Encoding": "identity"}
        if self.offset:
            return headers | {"Range": f"bytes={self.offset}-", "If-Range": self.etag}
        return headers | ({"If-None-Match": self.etag} if self.etag else {})


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
