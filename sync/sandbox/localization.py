"""Localization keys: single ones, which only change, and key sets (aisuru-api.md 8.2).

Keys of a set share a prefix and end in an index, `INPUT_QUIT_1`; the remote keeps the indexes
running from 1 whatever is added or removed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sync.sandbox.collection import Collection, get_route, list_route, require
from sync.sandbox.remote import Refusal
from sync.sandbox.routing import Answer, Request, Route
from sync.sandbox.shapes import LocalizationKeyBody

if TYPE_CHECKING:
    from sync.sandbox.world import Agent, Document

_INDEXED = re.compile(r"(.+)_([0-9]+)", re.ASCII)
"""A key of a set: its prefix and its index."""

KEYS = Collection(
    plural="LocalizationKeys",
    singular="LocalizationKey",
    key="key",
    listed_as="localizationKeys",
    shown_as="localizationKey",
    body=LocalizationKeyBody,
)


def add(request: Request) -> Answer:
    """Put a key into its set at the wanted index, or after the last one."""
    session = request.giver()
    body = request.body(LocalizationKeyBody)
    require(dict(body), ("key", "value"))
    prefix, index = _split(str(body["key"]))
    members = _members(session.agent, prefix)
    if not members:
        raise Refusal(422, f"There is no key set {prefix}")
    document: Document = {"value": body["value"], **session.created()}
    members.insert(max(index - 1, 0), document)
    _renumber(session.agent, prefix, members)
    return {"localizationKey": document}


def change(request: Request) -> Answer:
    """Change the value of the key that the body names: a quirk, no key is in the path."""
    session = request.giver()
    body = request.body(LocalizationKeyBody)
    require(dict(body), ("key", "value"))
    document = session.agent.localization_keys.get(str(body["key"]))
    if document is None:
        raise Refusal(404, f'LocalizationKey with ID "{body["key"]}" not found')
    document |= {"value": body["value"], **session.changed()}
    return {}


def remove(request: Request) -> Answer:
    """Take a key out of its set, which must not become empty."""
    session = request.giver()
    document = KEYS.find(request, session)
    prefix, _ = _split(document["key"])
    members = [member for member in _members(session.agent, prefix) if member is not document]
    if not members:
        raise Refusal(422, f"The key set {prefix} would become empty")
    _renumber(session.agent, prefix, members)
    return {}


def _split(key: str) -> tuple[str, int]:
    match = _INDEXED.fullmatch(key)
    if match is None:
        raise Refusal(422, "Only keys of a key set can be added or removed")
    return match[1], int(match[2])


def _members(agent: Agent, prefix: str) -> list[Document]:
    """The keys of a set by ascending index."""
    indexes = {}
    for key, document in agent.localization_keys.items():
        match = _INDEXED.fullmatch(key)
        if match and match[1] == prefix:
            indexes[int(match[2])] = document
    return [indexes[index] for index in sorted(indexes)]


def _renumber(agent: Agent, prefix: str, members: list[Document]) -> None:
    """Give a set the indexes 1, 2, 3…, at its place among the other keys."""
    old = {document["key"] for document in _members(agent, prefix)}
    for index, document in enumerate(members, start=1):
        document["key"] = f"{prefix}_{index}"
    renumbered = {document["key"]: document for document in members}
    keys: dict[str, Document] = {}
    for key, document in agent.localization_keys.items():
        keys |= renumbered if key in old else {key: document}
    agent.localization_keys.clear()
    agent.localization_keys.update(keys)


ROUTES = [
    *list_route(KEYS),
    *get_route(KEYS),
    Route("POST", "/memori/v2/LocalizationKey/{strSessionID}", add),
    Route("PATCH", "/memori/v2/LocalizationKey/{strSessionID}", change),
    Route("DELETE", "/memori/v2/LocalizationKey/{strSessionID}/{strKey}", remove),
]
