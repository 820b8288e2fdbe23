"""The people whom the page server shows: the same ones for the same number, in every process.

They come as the Engine lists them (aisuru-api.md 8.1): in the order in which they were made, which
is not the order of their keys.
"""

import json
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

CHANGED = " Changed since."
"""What ends the information of a person who changed."""

LEAVING = 10
"""How many leave the front of the list while it shifts."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_FIRST = datetime(2023, 2, 1, tzinfo=UTC)
_PER_SESSION = 25
_NAMES = ("Anna", "Béatrice", "Carlo", "Dörte", "Elif", "Francesca", "Giulia", "Håkon", "Ivo")
_WORDS = ("Asks for opening hours.", "Met at the fair.", "Prefers to be called in the evening.")


def key_of(number: int) -> str:
    """The `personID` of a person, counted from 0."""
    return uuid_of(f"person {number}")


def is_changed(number: int) -> bool:
    """Is this one of the 1 % who change?"""
    return number % 100 == 50


def render(number: int, *, changed: bool) -> bytes:
    """A person as JSON.

    Args:
        number: which one, counted from 0.
        changed: after the change; only 1 % differ.
    """
    moved = changed and is_changed(number)
    made = number // _PER_SESSION
    # Half of them were never touched again after the session that made them.
    touched = made if number % 2 else number * 7919 % (made + 1)
    document: dict[str, Any] = {
        "personID": key_of(number),
        "personType": "Receiver",
        "name": f"{_NAMES[number % len(_NAMES)]} {number}",
        "information": _WORDS[number % len(_WORDS)] + (CHANGED if moved else ""),
        "pin": f"{number * 7907 % 1_000_000:06}",
        "tag": f"🧭{number}",
        "creationTimestamp": time_of(number),
        "creationSessionID": uuid_of(f"session {made}"),
        "lastChangeTimestamp": time_of(number * 2 + 600_000 if moved else number),
        "lastChangeSessionID": uuid_of("last session" if moved else f"session {touched}"),
    }
    return _ENCODER.encode(document).encode()


def uuid_of(name: str) -> str:
    """An ID as the remote gives it, the same for the same name."""
    digits = blake2b(name.encode(), digest_size=16).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def time_of(seconds: int) -> str:
    """A time as the remote tells it."""
    at = _FIRST + timedelta(seconds=seconds * 37, microseconds=seconds * 31 % 1_000_000 + 1)
    return f"{at.isoformat(timespec='microseconds')[:-6]}Z"
