"""Documents: the remote's JSON objects as we read, compare and keep them.

A document is the same on both databases because it is kept as canonical JSON *text*: keys
sorted, no spaces, characters that PostgreSQL refuses (NUL, lone surrogates) as escapes. Session
IDs are credentials and are replaced by a mark before anything else sees the document.
"""

import hashlib
import json
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NoReturn, TypeGuard

import msgspec

from sync.errors import BadAnswer

Document = dict[str, Any]
"""One JSON object as the remote shows it: {field: value}."""

SESSION_FIELDS = frozenset(
    {"creationSessionID", "lastChangeSessionID", "creationName", "lastChangeName"}
)
"""Audit fields that hold session IDs, in either naming (aisuru-api.md 2)."""

_ENCODER = msgspec.json.Encoder(order="deterministic")
_DECODER = msgspec.json.Decoder()
_SURROGATE = re.compile("[\ud800-\udfff]")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
# Control characters, and what UTF-8 cannot say, are fit for no database, terminal or request.
_UNFIT = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
LONGEST_KEY_BYTES = 2000
"""An index of PostgreSQL holds 2704 bytes at most, other columns included."""
_MARK = re.compile(r"~[0-9a-f]{16}")
# A session ID follows an asset's file name, or stands in the query of a legacy URL
# (aisuru-api.md 8.4, 9.3 and 9.4); both occur inside longer texts, and in JSON as text, where a
# slash may be `\/`.
_SESSION_IN_TEXT = re.compile(
    r"""(/api\\{0,7}/v\d+\\{0,7}/asset\\{0,7}/[^/\s"'<>?\#\\]+?(?:\\{0,7}/|%2F)+"""
    r"""|[?&;]memori-ai-session-id=)"""
    r"""([^/\s"'<>?\#&\\]+)""",
    re.IGNORECASE,
)
# Where a text is a URL and nothing else, its file name may hold blanks.
_SESSION_IN_URL = re.compile(
    r"(\s*(?:(?:https?:)?//[^\n]*)?/api/v\d+/asset/[^/\n]+/+)([^/\s?#]+)([/?#][^\n]*)?\s*",
    re.IGNORECASE,
)
_STAMPS = frozenset({"creationTimestamp", "lastChangeTimestamp"})
_OLD_NAMES = frozenset({"creationName", "lastChangeName"})
_DEEPEST = 100


def parse(data: bytes) -> Any:
    """Read JSON from the remote.

    Lone surrogates and integers of any size come through unchanged.

    Raises:
        BadAnswer: the bytes are not JSON, or hold NaN or a number beyond all bounds.
    """
    try:
        return _DECODER.decode(data)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        return json.loads(data, parse_constant=_no_number, parse_float=_finite)
    except (ValueError, RecursionError):
        raise BadAnswer("the answer is not JSON") from None


def canonical(value: Any) -> str:
    """Write a JSON value so that equal values give equal text, storable on any database."""
    try:
        return _ENCODER.encode(value).decode()
    except (UnicodeEncodeError, OverflowError):
        text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        return _escaped(text)


def pretty_json(value: Any) -> str:
    """Write a JSON value for people, over several lines; any reader takes it for the same value."""
    try:
        return msgspec.json.format(canonical(value), indent=2)
    except msgspec.DecodeError:
        # It takes no escapes of lone surrogates.
        return _escaped(json.dumps(value, ensure_ascii=False, sort_keys=True, indent=2))


def storable(text: str) -> str:
    """Replace the characters that PostgreSQL refuses in a text column by U+FFFD."""
    # Most texts are plain, and looking is much faster than searching.
    if text.isascii() and "\0" not in text:
        return text
    return _UNSTORABLE.sub("\ufffd", text)


def is_fit(text: str) -> bool:
    """Can a text be kept as it is, as a key or a URL, on any database and in any request?"""
    return not _UNFIT.search(text)


def scrub(document: Document, depth: int = 0) -> Document:
    """Replace every session ID in a document by its mark (design 5).

    Raises:
        BadAnswer: the document is nested deeper than any real one.
    """
    if depth > _DEEPEST:
        raise BadAnswer(f"a document is nested more than {_DEEPEST} levels deep")
    # A map of the owner's may have a key of that name; an audit field stands beside a stamp.
    fields = SESSION_FIELDS if document.keys() & _STAMPS else SESSION_FIELDS - _OLD_NAMES
    return {
        field: value
        if value is None
        else session_mark(value)
        if field in fields and isinstance(value, str) and value
        else value
        if type(value) is str and "/" not in value and "=" not in value
        else _scrub_value(value, depth + 1)
        for field, value in document.items()
    }


@lru_cache(maxsize=4096)
def session_mark(session_id: str) -> str:
    """`~` and 16 hex digits of the SHA-256: tells sessions apart, opens none."""
    if _MARK.fullmatch(session_id):
        return session_id
    data = session_id.encode("utf-8", "surrogatepass")
    return "~" + hashlib.sha256(data).hexdigest()[:16]


def is_objects(found: Any) -> TypeGuard[list[Document]]:
    """Is a JSON value a list of objects?"""
    return isinstance(found, list) and all(isinstance(each, dict) for each in found)


def map_texts(value: Any, change: Callable[[str], str]) -> Any:
    """Apply `change` to every text inside a JSON value; keys stay as they are."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {field: map_texts(inner, change) for field, inner in value.items()}
    if isinstance(value, list):
        return [map_texts(inner, change) for inner in value]
    return value


def _scrub_value(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return _scrub_text(value)
    if isinstance(value, dict):
        return scrub(value, depth)
    if isinstance(value, list):
        if depth > _DEEPEST:
            raise BadAnswer(f"a document is nested more than {_DEEPEST} levels deep")
        return [_scrub_value(inner, depth + 1) for inner in value]
    return value


def _scrub_text(text: str) -> str:
    if url := _SESSION_IN_URL.fullmatch(text):
        return text.replace(url[2], session_mark(url[2]))
    return _SESSION_IN_TEXT.sub(lambda found: found[1] + session_mark(found[2]), text)


def _escaped(text: str) -> str:
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _no_number(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number
