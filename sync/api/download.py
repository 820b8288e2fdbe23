"""Downloading one file: where it is looked for, resumed after a cut, bounded in size and time.

Session IDs go to the Backend only (design 7). What comes is judged by the transport: an answer
about a file is no file.
"""

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urljoin

from sync.api.remote import Access
from sync.api.stream import Ask, Body, Redirected
from sync.errors import (
    AccessDenied,
    AccountRefused,
    BadAnswer,
    CredentialGone,
    Refused,
    RemoteError,
    Unavailable,
    UsageError,
)
from sync.kind import Route
from sync.link import FileRef, origin_of

_ASSET = Route("GET", "/api/v2/Asset/{file}/{session}", optional=frozenset({"session"}))
_TAKES_SESSION_AS_QUERY = "/memoriai/memory/"
_REDIRECTS = 3
_MIB = 1024 * 1024


class Sink(Protocol):
    """Where the bytes of a file go, attempt after attempt.

    Attributes:
        size_bytes: how many are there.
        etag: the version that they are of, or "".
    """

    size_bytes: int
    etag: str

    def take(self, start: int, etag: str, chunks: Iterable[bytes]) -> None:
        """Take bytes from `start` on, which is either 0 or what is there already."""


@dataclass(frozen=True)
class FileLimits:
    """What a file may be, and where it may come from.

    Attributes:
        size_mib: how large it may be.
        time_s: how long it may take, all attempts together.
        origins: of hosts besides the Backend, and where a redirect may lead.
    """

    size_mib: int = 4096
    time_s: float = 3600.0
    origins: frozenset[str] = frozenset()


def download(
    access: Access, ref: FileRef, sink: Sink, etag: str = "", limits: FileLimits | None = None
) -> str | None:
    """Read a file into a sink (aisuru-api.md 9.2 and 9.3).

    Args:
        access: whose session the Backend is told.
        ref: an asset or legacy file, which the Backend gives, or a URL on a configured origin.
            Where an asset has both, its URL is tried once if the Backend does not give it.
        sink: empty.
        etag: the version that is stored already, or "".
        limits: for this file.

    Returns:
        The MIME type that the remote gave, or None if the file is still the version stored.

    Raises:
        NotFound, Refused: it is not there, or not for us.
        BadAnswer: what came is no file, or one beyond the limits.
        Unavailable: no way to read it to its end, although it was tried again.
        AccountRefused, Interrupted: as for any call.
    """
    return _Download(access, ref, sink, etag, limits or FileLimits()).run()


class _Download:
    def __init__(
        self, access: Access, ref: FileRef, sink: Sink, etag: str, limits: FileLimits
    ) -> None:
        self._access = access
        self._ref = ref
        self._sink = sink
        self._etag = etag
        self._limits = limits
        self._deadline = time.monotonic() + limits.time_s
        self._resumed_at = 0
        self._endless = b""

    def run(self) -> str | None:
        ref, repeat = self._ref, self._access.transport.repeat
        if not ref.is_on_backend:
            return self._while_it_grows(lambda: repeat(self._elsewhere))
        try:
            return self._while_it_grows(
                lambda: repeat(lambda: self._access.under_credential(self._on_backend))
            )
        except (Refused, BadAnswer) as error:
            if not ref.url or isinstance(error, AccountRefused):
                raise
            return self._instead(error)

    def _instead(self, first: RemoteError) -> str | None:
        """Try the file's own URL once, after what the Backend said; its word counts more."""
        # A version of the Backend's says nothing about bytes elsewhere.
        self._resumed_at = self._sink.size_bytes
        try:
            return self._while_it_grows(self._elsewhere)
        except Refused:
            raise first from None
        except RemoteError as error:
            # Whatever is wrong with that host says nothing about other files.
            raise BadAnswer(f"{first}; {error}") from None

    def _while_it_grows(self, attempt: Callable[[], str | None]) -> str | None:
        """Go on as long as each turn brings bytes."""
        while True:
            before = self._sink.size_bytes
            try:
                return attempt()
            except Unavailable:
                if self._sink.size_bytes <= before:
                    raise

    def _on_backend(self, credential: Mapping[str, str]) -> str | None:
        legacy = self._ref.legacy_path
        query: dict[str, str] = {}
        if _TAKES_SESSION_AS_QUERY in legacy and "session" in credential:
            query = {"memori-ai-session-id": credential["session"]}
        path = {"file": self._ref.asset_file, **credential}
        return self._read(Route("GET", legacy) if legacy else _ASSET, path, query)

    def _elsewhere(self) -> str | None:
        return self._read(Route("GET", self._ref.url), {}, {})

    def _read(self, route: Route, path: Mapping[str, Any], query: Mapping[str, str]) -> str | None:
        ask, file_name = self._ask(), self._ref.file_name
        stream = self._access.transport.stream
        for _ in range(_REDIRECTS + 1):
            try:
                with stream(route, path, file_name, ask, query) as body:
                    if body is None:
                        return None
                    self._sink.take(body.start, body.etag, self._bounded(body))
                    return body.mime_type
            except Redirected as error:
                route, path, query = self._moved(error), {}, {}
            except (AccessDenied, CredentialGone) as error:
                if "://" not in route.template:
                    raise
                # Another host was told no credential, so it has nothing to say about ours.
                raise BadAnswer(str(error)) from None
        raise BadAnswer(f"a file is redirected more than {_REDIRECTS} times")

    def _ask(self) -> Ask:
        """Ask for the rest of what was cut; but only once for the same rest."""
        sink = self._sink
        # A weak version promises nothing about bytes (RFC 9110, 13.1.5).
        can_resume = sink.etag and not sink.etag.startswith("W/")
        offset = sink.size_bytes if can_resume and sink.size_bytes != self._resumed_at else 0
        self._resumed_at = offset
        return Ask(sink.etag if offset else self._etag, offset, self._deadline)

    def _moved(self, redirected: Redirected) -> Route:
        try:
            target = urljoin(redirected.base, redirected.location)
            origin = origin_of(target)
        except (UsageError, ValueError):
            raise redirected from None
        if origin not in self._limits.origins:
            raise BadAnswer(
                f"{redirected}, to {origin}", "if that is right, add it to `asset_urls`"
            ) from None
        return Route("GET", target)

    def _bounded(self, body: Body) -> Iterator[bytes]:
        size_bytes, most, digest = body.start, self._limits.size_mib * _MIB, hashlib.sha256()
        too_large = BadAnswer(
            f"the file is larger than {self._limits.size_mib} MiB", "raise `file_mib` in [backup]"
        )
        if body.total is not None and body.total > most:
            raise too_large
        for chunk in body.chunks:
            size_bytes += len(chunk)
            if size_bytes > most:
                raise too_large
            if not body.has_end:
                digest.update(chunk)
            yield chunk
        if body.total is not None and size_bytes != body.total:
            raise Unavailable("only a part of the file came")
        if not body.has_end:
            self._believe(digest.digest())

    def _believe(self, digest: bytes) -> None:
        """Take a body that just ended for the file if the attempt before brought the same.

        Where neither a length nor chunks tell where a file ends, a cut looks like its end. To
        refuse all such files would leave those of old servers out for good; a connection that
        breaks hardly does so twice at the very same byte.
        """
        if digest != self._endless:
            self._endless, self._resumed_at = digest, self._sink.size_bytes
            raise Unavailable("where the file ends is not told, and no two attempts agreed")
