"""HTTP to the remote: timeouts, retry, redaction.

Calls are known by their route template, never by their
URL, because session IDs and tokens stand in the path (aisuru-api.md 1).
"""

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
import structlog
import tenacity
import urllib3
from requests.utils import get_environ_proxies
from requests_toolbelt import MultipartEncoder

from sync.api.envelope import (
    NOT_FOUND,
    OK,
    PAGE,
    PROBLEM,
    is_answer,
    is_page_instead,
    read_envelope,
)
from sync.api.path import fill, name_of
from sync.api.pool import Lines, pool
from sync.api.stream import Ask, Body, Head, Redirected, chunks_of, read_all
from sync.document import canonical
from sync.errors import BadAnswer, Interrupted, NotFound, RemoteError, Unavailable
from sync.kind import Route
from sync.link import is_loopback, origin_of
from sync.redact import Redactor
from sync.stop import Stop

CONNECT_S = 10.0
READ_S = 60.0
GRACE_S = 4.0
"""How long calls that are under way may go on after a stop was asked for."""
_PATIENT = 3
_ENVELOPE_BYTES = 64 * 1024

T = TypeVar("T")


@dataclass(frozen=True)
class FilePart:
    """A file to send: how it is called, what it is, and where its bytes are."""

    file_name: str
    mime_type: str
    path: Path


class Transport:
    """Calls of both services.

    Args:
        engine_url: any URL of the Engine; its origin counts (aisuru-api.md 1).
        backend_url: the same for the Backend.
        redactor: takes secrets out of the remote's own messages.
        stop: when asked for, waiting ends and every further call raises `Interrupted`.
        retry_s: how long one call may be repeated.
        concurrency: how many calls are under way at once, however many threads ask.

    Attributes:
        repeats: how often a call had to be made again.
        workers: how many threads keep that many calls under way: while some note what came of
            theirs, others wait for the remote. One alone keeps to the order.
    """

    def __init__(
        self,
        engine_url: str,
        backend_url: str,
        *,
        redactor: Redactor,
        stop: Stop,
        retry_s: float = 60.0,
        concurrency: int = 4,
    ) -> None:
        self.redactor = redactor
        self.stop = stop
        self._engine = origin_of(engine_url)
        self._backend = origin_of(backend_url)
        self._retry_s = retry_s
        self._proxies: dict[str, Any] = {}
        self._lines = (Lines(stop, GRACE_S), Lines(stop))
        self._http, self._files = (pool(concurrency, each) for each in self._lines)
        self._turns = threading.Semaphore(concurrency)
        self.workers = 2 * concurrency - 1
        self._log = structlog.get_logger("transport")
        self.repeats = 0

    def close(self) -> None:
        """Let go of all connections."""
        self._http.close()
        self._files.close()
        for each in self._lines:
            each.close()

    def call(
        self,
        route: Route,
        path: Mapping[str, Any],
        body: Any = None,
        *,
        part: FilePart | None = None,
        headers: Mapping[str, str] | None = None,
        parting: bool = False,
    ) -> dict[str, Any]:
        """Make one call that answers JSON, repeating it where that is safe (design 6.5).

        Args:
            route: the endpoint.
            path: a value for each parameter of the route's template.
            body: sent as JSON if not None.
            part: sent instead as multipart/form-data, read as it goes (aisuru-api.md 9.1).
            headers: sent along; they may hold secrets.
            parting: a call of farewell (closing a session): one attempt, even after `stop`.

        Returns:
            The envelope of a success: {field: value} with `resultCode` 0.

        Raises:
            Refused: the remote said no; mostly one of its subclasses.
            BadAnswer: the answer is no envelope.
            Unavailable: no answer that helps within `retry_s`.
            Interrupted: `stop` is set.
        """
        data = None if body is None else canonical(body).encode()

        def attempt() -> dict[str, Any]:
            with _payload(part, data) as payload:
                payload["headers"] |= headers or {}
                url = self._url(route, path)
                calling = self._calling(self._http, route, url, payload)
                # A farewell waits for nobody.
                turn = nullcontext() if parting else self._turns
                with turn, self._request(route, url, calling) as raw:
                    return self._read(route, raw, read_all(name_of(route), raw))

        return attempt() if parting else self.repeat(attempt, safe=route.is_safe)

    @contextmanager
    def stream(
        self,
        route: Route,
        path: Mapping[str, Any],
        file_name: str,
        ask: Ask,
        query: Mapping[str, str],
    ) -> Iterator[Body | None]:
        """Open one file for reading; one attempt, since what was read is the caller's.

        Args:
            route: its template may be a whole URL on a configured origin.
            path: a value for each parameter of the route's template.
            file_name: its extension tells a JSON or HTML file from an answer about a file.
            ask: what of it is at hand already.
            query: parameters after the path.

        Yields:
            The file, or what of it was asked for; None if it is still the version at hand.

        Raises:
            NotFound, Refused, Unavailable, BadAnswer: as for `call`.
            Redirected: it is elsewhere.
        """
        url = self._url(route, path)
        payload = {"headers": ask.headers, "params": query}
        with self._request(route, url, self._calling(self._files, route, url, payload)) as raw:
            head = Head(raw.status, raw.headers, raw.chunked, raw.length_remaining)
            if head.is_unchanged(ask):
                yield None
                return
            late = BadAnswer(
                f"{name_of(route)}: the file was not here in time", "raise `file_s` in [backup]"
            )
            chunks = chunks_of(raw, ask.deadline, late)
            if not head.is_rest(ask):
                chunks = self._judge(route, raw, chunks, head.mime_type, file_name)
            yield head.body(name_of(route), ask, self._unless_stopped(chunks))

    def repeat(self, attempt: Callable[[], T], *, safe: bool = True) -> T:
        """Run `attempt` again, with growing pauses, while the remote is unavailable.

        Args:
            attempt: what to do.
            safe: False repeats only what surely was not carried out.

        Raises:
            Interrupted: `stop` is set, before or meanwhile.
        """

        def unless_stopped() -> T:
            self.check_running()
            return attempt()

        again = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: _may_repeat(error, safe=safe)),
            wait=_pause,
            stop=tenacity.stop_before_delay(self._retry_s)
            | tenacity.stop_when_event_set(self.stop.event),
            sleep=tenacity.sleep_using_event(self.stop.event),
            before_sleep=self._tell,
            reraise=True,
        )
        try:
            return again(unless_stopped)
        except Unavailable:
            self.check_running()
            raise

    def check_running(self) -> None:
        """Raise `Interrupted` if a stop was asked for."""
        if self.stop.event.is_set():
            raise Interrupted(self.stop.why)

    @contextmanager
    def _request(
        self, route: Route, url: str, opening: AbstractContextManager[urllib3.BaseHTTPResponse]
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        """Open an answer; whatever keeps it from coming whole becomes an error of ours."""
        name, raw = name_of(route), None
        try:
            with opening as raw:
                self._log.debug("call.answered", route=name, status=raw.status)
                location = raw.get_redirect_location()
                if isinstance(location, str):
                    raise Redirected(name, url, location)
                yield raw
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            # Their own messages hold the URL.
            raise _lost(name, urlsplit(url).netloc, error, raw) from None

    @contextmanager
    def _calling(
        self, http: requests.Session, route: Route, url: str, payload: Mapping[str, Any]
    ) -> Iterator[urllib3.BaseHTTPResponse]:
        with http.request(
            route.method,
            url,
            allow_redirects=False,
            timeout=(CONNECT_S, READ_S),
            proxies=self._proxies_for(origin_of(url)),
            stream=True,
            **payload,
        ) as response:
            yield response.raw

    def _url(self, route: Route, path: Mapping[str, Any]) -> str:
        if "://" in route.template:
            return route.template
        of_engine = route.template.startswith("/memori/")
        return (self._engine if of_engine else self._backend) + fill(route, path)

    def _proxies_for(self, origin: str) -> Any:
        """What the environment says, asked once per origin; this machine needs no proxy."""
        if origin not in self._proxies:
            self._proxies[origin] = {} if is_loopback(origin) else get_environ_proxies(origin)
        return self._proxies[origin]

    def _read(
        self, route: Route, response: urllib3.BaseHTTPResponse, data: bytes
    ) -> dict[str, Any]:
        try:
            return read_envelope(name_of(route), response.status, data)
        except RemoteError as error:
            error.args = (self.redactor(str(error)),)
            if isinstance(error, Unavailable):
                error.retry_after_s = _seconds(response.headers.get("Retry-After", ""))
            raise

    def _judge(
        self,
        route: Route,
        response: urllib3.BaseHTTPResponse,
        chunks: Iterator[bytes],
        mime_type: str,
        file_name: str,
    ) -> Iterator[bytes]:
        """Tell a file from an answer about the file, which is short; give the file's bytes."""
        start = b""
        while len(start) <= _ENVELOPE_BYTES and (chunk := next(chunks, b"")):
            start += chunk
        envelope = start if len(start) <= _ENVELOPE_BYTES else b""
        if response.status != OK or is_answer(envelope, mime_type, file_name):
            # A page that the Backend gives is a proxy's; other hosts have nothing else to say.
            is_its_word = mime_type != PAGE or "://" in route.template
            is_bare = mime_type == PROBLEM or not start.lstrip().startswith(b"{")
            if response.status == NOT_FOUND and is_bare and is_its_word:
                raise NotFound(f"{name_of(route)}: HTTP 404", code=NOT_FOUND)
            self._read(route, response, start)
            raise BadAnswer(f"{name_of(route)}: an answer where a file was asked for")
        if is_page_instead(start, mime_type, file_name):
            raise BadAnswer(f"{name_of(route)}: a web page came where a file was asked for")
        if not start:
            # No one can upload an empty file (aisuru-api.md 9, code -504).
            raise BadAnswer(f"{name_of(route)}: the file came empty")
        return itertools.chain((start,), chunks)

    def _unless_stopped(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self.check_running()
            yield chunk

    def _tell(self, state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        # Whoever waits at a terminal, where only warnings are shown, shall know what for.
        tell = self._log.info if state.attempt_number < _PATIENT else self._log.warning
        self.repeats += 1
        tell("call.repeated", why=str(error), attempt=state.attempt_number)


@contextmanager
def _payload(part: FilePart | None, data: bytes | None) -> Iterator[dict[str, Any]]:
    """What is sent, as options for requests: JSON, or one file that is read as it goes."""
    if part is None:
        yield {"headers": {"Content-Type": "application/json"}, "data": data}
        return
    with part.path.open("rb") as file:
        form = MultipartEncoder({"file": (part.file_name, file, part.mime_type)})
        yield {"headers": {"Content-Type": form.content_type}, "data": form}


def _lost(
    name: str, host: str, error: Exception, raw: urllib3.BaseHTTPResponse | None
) -> RemoteError:
    """Our error for a call without a whole answer; told by type, since the texts hold the URL."""
    hint = "check the network, `backend_url` and `engine_url`"
    broken = urllib3.exceptions.ProtocolError | urllib3.exceptions.ProxyError
    if isinstance(error, requests.exceptions.SSLError | urllib3.exceptions.SSLError):
        return BadAnswer(f"{name}: the TLS certificate of {host} is not accepted", hint)
    part = _part_of(raw)
    if isinstance(error, requests.ReadTimeout | urllib3.exceptions.ReadTimeoutError):
        why = f"{part}, and then no more in time" if part else f"no answer from {host} in time"
        return Unavailable(f"{name}: {why}", hint, answered=False)
    if _is_unreached(error):
        why = f"{name}: cannot connect to {host}"
        return Unavailable(why, hint, carried_out=False, answered=False)
    if isinstance(error, requests.ConnectionError | broken):
        why = f"the connection to {host} broke{part and ': '}{part}"
        return Unavailable(f"{name}: {why}", hint, answered=bool(part))
    return BadAnswer(f"{name}: {type(error).__name__}", hint)


def _part_of(raw: urllib3.BaseHTTPResponse | None) -> str:
    """How much of a body came before its end, "" if nothing did."""
    if raw is None or not (came := raw.tell()):
        return ""
    of_all = "" if raw.length_remaining is None else f" of {came + raw.length_remaining}"
    return f"only {came}{of_all} bytes came"


def _is_unreached(error: Exception) -> bool:
    """Was there no connection at all: nobody listens, or the name of the host means nothing?"""
    # What requests raises holds the one that it stands for, and so does a proxy's error.
    cause = error.args[0] if isinstance(error, requests.RequestException) and error.args else error
    reason = getattr(cause, "reason", cause)
    reason = getattr(reason, "original_error", reason)
    never = urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError
    return isinstance(error, requests.ConnectTimeout) or isinstance(reason, never)


def _seconds(retry_after: str) -> float | None:
    """A Retry-After header, in seconds or as a date."""
    try:
        return float(retry_after)
    except ValueError:
        pass
    try:
        return (parsedate_to_datetime(retry_after) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return None


def _may_repeat(error: BaseException, *, safe: bool) -> bool:
    return isinstance(error, Unavailable) and (safe or not error.carried_out)


_growing = tenacity.wait_exponential_jitter(multiplier=0.5, max=10.0)


def _pause(state: tenacity.RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after_s if isinstance(error, Unavailable) else None
    return max(_growing(state), asked or 0.0)
