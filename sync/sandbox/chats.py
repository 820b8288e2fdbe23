"""Who talked with an agent and what was said: read-only, personal data (aisuru-api.md 11)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sync.sandbox.collection import Collection, get_route, list_route
from sync.sandbox.remote import Refusal
from sync.sandbox.routing import Answer, Request, Route
from sync.sandbox.shapes import ChatLogsPagedBody

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sync.sandbox.world import Document

_USUAL_MINIMUM = 3
"""Chats with fewer lines are left out, unless the call says otherwise."""

USERS = Collection(
    plural="Users",
    singular="User",
    key="userID",
    listed_as="users",
    shown_as="user",
)

CHAT_LOGS = Collection(
    plural="ChatLogs",
    singular="ChatLog",
    key="chatLogID",
    listed_as="chatLogs",
)


def list_all(request: Request) -> Answer:
    """List chats, of a time if the path says so."""
    logs = CHAT_LOGS.objects(request.giver().agent).values()
    args = request.args
    found = list(_within(logs, args.get("strDateFrom"), args.get("strDateTo")))
    return {"count": len(found), "chatLogs": found}


def list_paged(request: Request) -> Answer:
    """List a page of chats; those that are too short are left out, and not counted either."""
    agent = request.giver().agent
    body = request.body(ChatLogsPagedBody)
    start, how_many = body.get("from", 0), body.get("howMany", 0)
    if start < 0 or how_many < 1:
        raise Refusal(400, "from must be at least 0 and howMany at least 1")
    minimum = body.get("minimumMessagesPerChat")
    least = _USUAL_MINIMUM if minimum is None else minimum
    logs = _within(CHAT_LOGS.objects(agent).values(), body.get("dateFrom"), body.get("dateTo"))
    wanted = (body.get("filter") or "").lower()
    found = [
        each
        for each in logs
        if len(each.get("lines") or ()) >= least and wanted in str(each).lower()
    ]
    cap = request.remote.page_cap or how_many
    return {"count": len(found), "chatLogs": found[start : start + min(how_many, cap)]}


def _within(logs: Iterable[Document], first: str | None, last: str | None) -> Iterable[Document]:
    """Chats of a time; both ends are written yyyyMMddHHmmssfff."""
    for each in logs:
        moment = re.sub(r"\D", "", each["timestamp"])[:17]
        if (first or "") <= moment and (not last or moment <= last):
            yield each


ROUTES = [
    *list_route(USERS),
    *get_route(USERS),
    Route("GET", "/memori/v2/ChatLogs/{strSessionID}", list_all),
    Route("GET", "/memori/v2/ChatLogs/{strSessionID}/{strDateFrom}", list_all),
    Route("GET", "/memori/v2/ChatLogs/{strSessionID}/{strDateFrom}/{strDateTo}", list_all),
    Route("POST", "/memori/v2/ChatLogsPaged/{strSessionID}", list_paged),
]
