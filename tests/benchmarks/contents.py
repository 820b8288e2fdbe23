"""An agent with people, memories, media and files: the same one for the same number of objects.

It has two states. Between them 1 % of each kind changed, 1 % vanished and 1 % is new.
"""

import json
from collections.abc import Iterator
from typing import Any

from people import is_changed, render, time_of, uuid_of

MEMORI_ID, OTHER_ID = uuid_of("memori"), uuid_of("another memori")
SHARES = {"person": 40, "memory": 25, "medium": 25, "asset": 10}
"""{kind: how many of a hundred objects}; every memory has one medium."""

_TEXT = "<p>We are open from Tuesday to Sunday, from 9 to 18; the last guests enter at 17. {}</p>"


def sizes(objects: int) -> dict[str, int]:
    """{kind: how many} of so many objects."""
    return {name: objects * share // 100 for name, share in SHARES.items()}


def is_lost(number: int) -> bool:
    """Is this one of the 1 % that vanish?"""
    return number % 100 == 25


def documents(kind: str, objects: int, *, later: bool) -> Iterator[dict[str, Any]]:
    """All objects of a kind, as the mirror keeps them, in the first state or the later one."""
    count = sizes(objects)
    size = count[kind]
    for number in range(size + size // 100 if later else size):
        if later and is_lost(number):
            continue
        moved = later and is_changed(number)
        if kind == "person":
            yield json.loads(render(number, changed=moved))
        elif kind == "memory":
            yield _memory(number, count, later=later, moved=moved)
        elif kind == "medium":
            yield _medium(number, count, moved=moved)
        else:
            yield _asset(number, moved=moved)


def asset_file(number: int) -> str:
    """The file name of an asset."""
    return f"{uuid_of(f'asset {number}')}.png"


def _asset_url(number: int) -> str:
    return f"https://assets.memori.ai/api/v2/asset/{asset_file(number)}"


def _stamps(number: int, *, moved: bool) -> dict[str, str]:
    session = uuid_of(f"session {number // 25}")
    return {
        "creationTimestamp": time_of(number),
        "creationSessionID": session,
        "lastChangeTimestamp": time_of(number * 2 + 600_000 if moved else number),
        "lastChangeSessionID": uuid_of("last session") if moved else session,
    }


def _memory(number: int, count: dict[str, int], *, later: bool, moved: bool) -> dict[str, Any]:
    """One in four is for a person alone; one in ten shows a file inside its text."""
    receiver = number // 4 % count["person"] if number % 4 == 0 else None
    if receiver is not None and later and is_lost(receiver):
        receiver = None
    stamps = _stamps(number, moved=moved)
    picture = f'<img src="{_asset_url(number // 10 % count["asset"])}">' if number % 10 == 0 else ""
    return {
        "memoryID": uuid_of(f"memory {number}"),
        "memoryType": "Question",
        "title": f"When is room {number} open{', and since when' if moved else ''}?",
        "titleVariants": [f"Opening hours of room {number}", f"May I see room {number} today?"],
        "answers": [{"text": _TEXT.format(picture), "preformatted": True, **stamps}],
        "receiverID": None if receiver is None else uuid_of(f"person {receiver}"),
        "receiverTag": None if receiver is None else f"🧭{receiver}",
        "receiverName": None,
        "lastRead": time_of(number * 3),
        "readOccurrences": number % 17,
        "date": None,
        "placeName": None,
        "conclusive": False,
        "notPickable": False,
        "help": False,
        "hints": [f"Ask for room {number + 1}"],
        "minTimeout": None,
        "maxTimeout": None,
        "contextVarsToSet": {"ROOM": str(number)},
        "contextVarsToMatch": {},
        "tags": ["rooms"],
        **stamps,
    }


def _medium(number: int, count: dict[str, int], *, moved: bool) -> dict[str, Any]:
    """Four of ten are files of ours, four links, two notes."""
    url, content = f"https://museum.example/rooms/{number}", None
    if number < count["asset"]:
        url = _asset_url(number)
    elif number % 3 == 0:
        url, content = None, f"Room {number} lies behind the stairs."
    return {
        "mediumID": uuid_of(f"medium {number}"),
        "memoryID": uuid_of(f"memory {number}"),
        "position": 0,
        "url": url,
        "content": content,
        "mimeType": "image/png" if number < count["asset"] else "text/plain",
        "title": f"Room {number}{' in the evening' if moved else ''}",
        "properties": {},
        **_stamps(number, moved=moved),
    }


def _asset(number: int, *, moved: bool) -> dict[str, Any]:
    """One in ten belongs to another agent of the account; media show them all the same."""
    is_other = number % 10 == 9
    return {
        "assetID": asset_file(number).removesuffix(".png"),
        "assetURL": _asset_url(number),
        "mimeType": "image/png",
        "originalFileName": f"room {number}{' new' if moved else ''}",
        "memoriID": OTHER_ID if is_other else MEMORI_ID,
        "engineMemoryID": None if is_other else uuid_of(f"memory {number}"),
        "creationTimestamp": time_of(number),
        "lastChangeTimestamp": time_of(number),
    }
