"""Chat logs: what was said to the agent and by it (aisuru-api.md 11). Personal data.

They are listed by POST; unless it asks for every chat, short ones are silently left out.
"""

from sync.document import Document, session_mark
from sync.field import BOOLEAN, JSON, TEXT
from sync.kind import Kind, Route, Scope


def _marked(document: Document) -> Document:
    """The chat, and those that it goes on from or that go on from it, without session IDs."""
    found = dict(document)
    if isinstance(session := found.get("sessionID"), str):
        found["sessionID"] = session_mark(session)
    if isinstance(before := found.get("continuesFrom"), dict):
        found["continuesFrom"] = _marked(before)
    if isinstance(after := found.get("continuesTo"), list):
        found["continuesTo"] = [_marked(each) if isinstance(each, dict) else each for each in after]
    return found


CHAT_LOG = Kind(
    name="chat_log",
    about="what was said to the agent and by it",
    scope=Scope.MEMORI,
    key="chatLogID",
    is_personal=True,
    clean=_marked,
    list=Route(
        "POST",
        "/memori/v2/ChatLogsPaged/{session}",
        "chatLogs",
        query={"minimumMessagesPerChat": 0},
    ),
    assigned={
        "timestamp": TEXT,
        "memoriID": TEXT,
        "userID": TEXT,
        "userAgent": TEXT,
        "ipAddress": TEXT,
        "eMail": TEXT,
        "sessionID": TEXT,
        "boardOfExperts": BOOLEAN,
        "receiverTag": TEXT,
        "continuesFrom": JSON,
        "continuesTo": JSON,
        "lines": JSON,
    },
    title=("timestamp",),
    not_restorable="what was said cannot be said again",
)
