"""What an answer of the remote means: success, or one of our errors. Pure.

The body decides, whatever the HTTP status; only a body that is no envelope is judged by the
status (aisuru-api.md 2 and 14).
"""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from sync.document import parse, storable
from sync.errors import (
    AccessDenied,
    AccountRefused,
    BadAnswer,
    CredentialGone,
    NotFound,
    Refused,
    RemoteError,
    Unavailable,
)

OK = 200
PARTIAL_CONTENT = 206
NOT_MODIFIED = 304
RANGE_NOT_SATISFIABLE = 416
TOO_MANY = 429
NOT_FOUND = 404
PROBLEM = "application/problem+json"
PAGE = "text/html"
_JSON_FILES = frozenset({"json", "geojson", "topojson", "gltf", "map", "webmanifest"})
_FILES_OF: Mapping[str, frozenset[str]] = {
    PAGE: frozenset({"html", "htm", "xhtml"}),
    "application/json": _JSON_FILES,
    PROBLEM: frozenset(),
}
"""{MIME type in which answers come: extensions of files that may have it, too}."""
_NO_TEXT = ("image/", "audio/", "video/", "font/", "application/pdf", "application/xhtml+xml")
_NO_TEXTS = frozenset({
    "png", "jpg", "jpeg", "gif", "webp", "bmp", "ico", "tif", "tiff", "heic", "avif",
    "mp3", "m4a", "wav", "ogg", "oga", "aac", "flac", "mp4", "m4v", "mov", "webm", "avi", "mkv",
    "pdf", "doc", "docx", "xls", "xlsx", "ppt", "pptx", "odt", "ods", "odp", "epub",
    "zip", "gz", "7z", "rar", "glb", "fbx", "usdz", "woff", "woff2", "ttf", "otf",
})  # fmt: skip
"""Extensions of files that are no text."""
_PAGE_START = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<!doctype\s+html|<html[\s>])", re.IGNORECASE)
_LATER = frozenset({408, TOO_MANY, 500, 502, 503, 504})
_ELSEWHERE = "check `backend_url` and `engine_url`"
_SESSION_NAMED = re.compile(r"(session with id\s*\"?)[^\"\s]+", re.IGNORECASE)
_SESSION_GONE = re.compile(r"session with id .* not found", re.IGNORECASE | re.DOTALL)

# Backend codes of aisuru-api.md 2 that need more than their message.
_GONE_CODES = frozenset({-101, -103, -263})
_NOT_FOUND_CODES = frozenset({NOT_FOUND, -51, -601, -2051})
_FORBIDDEN_CODES = frozenset({401, 403})
_ACCOUNT_CODES: Mapping[int, str] = {
    -1: "check `tenant`",
    -11: "the user must be confirmed first",
    -12: "check `user`",
    -13: "check `user` and the password; the account locks after a few wrong tries",
    -14: "log in on the site and set a new password, then tell it to aisuru-sync",
    -15: "log in on the site and enter the verification code",
    -21: "set `tenant`",
    -22: "set `user`",
    -23: "set a password",
    -31: "set `user`",
    -38: "too many attempts: wait, then log in on the site before trying again",
    -39: "log in on the site and accept the terms",
    -102: "this needs an administrator's login",
}


def read_envelope(name: str, status: int, data: bytes) -> dict[str, Any]:
    """Give the answer of a call that succeeded.

    Args:
        name: what the call is named in errors: its method and route template.
        status: the HTTP status.
        data: the body.

    Returns:
        {field: value}, `resultCode` 0 among them.

    Raises:
        Refused: `resultCode` is not 0; mostly one of its subclasses.
        Unavailable: the remote says to come back later.
        BadAnswer: the body is no envelope; a bare 404 may be a proxy's word, not the remote's.
    """
    answer = _object(data)
    code = _code(answer)
    if code == 0:
        return answer
    if code is not None:
        raise refusal(name, code, str(answer.get("resultMessage") or "refused"))
    if status in _LATER:
        raise Unavailable(f"{name}: HTTP {status}", "try later", carried_out=status != TOO_MANY)
    raise BadAnswer(f"{name}: HTTP {status} and a body that is no AIsuru answer", _ELSEWHERE)


def is_answer(data: bytes, mime_type: str, file_name: str) -> bool:
    """Is this an answer of the remote about a file, and not the file (aisuru-api.md 9.2)?

    Args:
        data: the body, if it is short enough for an envelope, else nothing of it.
        mime_type: that the remote gives it: a page or JSON is a file only if its name says so.
        file_name: of what was asked for, which may have no extension.
    """
    extension = PurePosixPath(file_name).suffix[1:].lower()
    if mime_type in _FILES_OF and extension not in _FILES_OF[mime_type]:
        return True
    answer = _object(data) if data.lstrip()[:1] == b"{" else {}
    if extension in _JSON_FILES:
        return "requestID" in answer and _code(answer) not in (None, 0)
    return _code(answer) is not None


def is_page_instead(start: bytes, mime_type: str, file_name: str) -> bool:
    """Do the bytes begin as a web page does, where something else was promised?

    Args:
        start: of the body.
        mime_type: that it comes with.
        file_name: of what was asked for; a text may well begin so.
    """
    extension = PurePosixPath(file_name).suffix[1:].lower()
    promised = mime_type.startswith(_NO_TEXT) or extension in _NO_TEXTS
    return promised and extension not in _FILES_OF[PAGE] and _PAGE_START.match(start) is not None


def refusal(name: str, code: int, message: str) -> RemoteError:
    """The error that a `resultCode` other than 0 stands for."""
    told = _SESSION_NAMED.sub(r"\1****", " ".join(storable(message).split()))
    text = f"{name}: {told} (resultCode {code})"
    if code in _GONE_CODES or (code == NOT_FOUND and _SESSION_GONE.search(message)):
        return CredentialGone(text, code=code)
    if code in _NOT_FOUND_CODES:
        return NotFound(text, code=code)
    if code in _ACCOUNT_CODES:
        return AccountRefused(text, _ACCOUNT_CODES[code], code=code)
    if code in _FORBIDDEN_CODES:
        return AccessDenied(text, code=code)
    if code in _LATER:
        return Unavailable(text, "try later", carried_out=code != TOO_MANY)
    return Refused(text, code=code)


def _object(data: bytes) -> dict[str, Any]:
    try:
        answer = parse(data)
    except BadAnswer:
        return {}
    return answer if isinstance(answer, dict) else {}


def _code(answer: dict[str, Any]) -> int | None:
    code = answer.get("resultCode")
    return code if isinstance(code, int) and not isinstance(code, bool) else None
