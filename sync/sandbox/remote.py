"""A world while it is served: who is logged in, which sessions live, what time it is.

No HTTP here. What the remote will not do is raised as a `Refusal`; `routing.py` turns it into
an answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from sync.sandbox.filetypes import mime_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from sync.sandbox.world import Agent, Document, World

SESSION_IDLE = timedelta(hours=1)
"""A session dies after an hour without a call (aisuru-api.md 5, Lifetime)."""

TOKEN_LIFE = timedelta(hours=24)
"""How long a login lasts; no source says it, a day is our guess (aisuru-api.md 3)."""

LOGIN_ATTEMPTS = 5
"""Wrong passwords in a row after which the account is locked; the number is our guess."""

UPLOAD_LIMIT_BYTES = 100 * 1024 * 1024
"""What the vendor's editing UI allows for media of memories (aisuru-api.md 9.1)."""

ANONYMOUS_TAG = "👤"
"""The tag of nobody in particular (aisuru-api.md 8.1)."""


class Refusal(Exception):  # a remote that says no is not in error
    """What the remote answers instead of a result.

    Attributes:
        code: the `resultCode`: like an HTTP status from the Engine, negative from the Backend.
        extra: fields that the answer carries nevertheless.
    """

    def __init__(self, code: int, message: str, **extra: str) -> None:
        super().__init__(message)
        self.code = code
        self.extra = extra


@dataclass
class Session:
    """An open session of the Engine.

    Attributes:
        person: the person whose tag and PIN opened it; None for an ordinary session.
    """

    session_id: str
    agent: Agent
    person: Document | None
    used_at: datetime
    clock: Callable[[], datetime]

    @property
    def is_giver(self) -> bool:
        """Whether the session may teach the agent."""
        return self.person is not None and self.person.get("personType") == "Giver"

    def stamp(self) -> str:
        """The present moment as the remote writes it."""
        return _stamp(self.clock())

    def changed(self) -> Document:
        """Audit fields of an object that this session changes now (aisuru-api.md 2)."""
        return {"lastChangeTimestamp": self.stamp(), "lastChangeSessionID": self.session_id}

    def created(self) -> Document:
        """Audit fields of an object that this session makes now."""
        changed = self.changed()
        return {
            "creationTimestamp": changed["lastChangeTimestamp"],
            "creationSessionID": self.session_id,
            **changed,
        }


@dataclass
class Token:
    """A login of the Backend."""

    token: str
    expires_at: datetime


class Remote:
    """The state behind the routes.

    Attributes:
        sessions, tokens: the live ones by their ID; deleting one kills it.
        login_failures: wrong passwords in a row; from `LOGIN_ATTEMPTS` on the account is locked.
        page_cap: a silent maximum of `howMany`, or None.
        upload_limit_bytes: beyond it uploads answer -503.
        mime_type: tells the MIME type of an upload by its extension and its beginning, or None
            if it is refused.
    """

    def __init__(
        self, world: World, *, clock: Callable[[], datetime], page_cap: int | None = None
    ) -> None:
        self.world = world
        self.clock = clock
        self.page_cap = page_cap
        self.upload_limit_bytes = UPLOAD_LIMIT_BYTES
        self.mime_type: Callable[[str, bytes], str | None] = mime_type
        self.sessions: dict[str, Session] = {}
        self.tokens: dict[str, Token] = {}
        self.login_failures = 0

    def stamp(self) -> str:
        """The present moment as the remote writes it."""
        return _stamp(self.clock())

    def open_session(self, agent: Agent, person: Document | None) -> Session:
        """Start a session with an agent."""
        session = Session(str(uuid4()), agent, person, self.clock(), self.clock)
        self.sessions[session.session_id] = session
        return session

    def is_alive(self, session_id: str) -> bool:
        """Whether a session exists; one found dead is forgotten. Not an activity."""
        session = self.sessions.get(session_id)
        if session is None:
            return False
        gone = session.agent.memori_id not in self.world.agents
        if gone or self.clock() - session.used_at >= SESSION_IDLE:
            del self.sessions[session_id]
            return False
        return True

    def session(self, session_id: str) -> Session:
        """Find a live session and count the call as activity.

        Raises:
            Refusal: 404, with the message by which clients tell a dead session from a missing
                object (aisuru-api.md 2).
        """
        if not self.is_alive(session_id):
            raise Refusal(404, f'Session with ID "{session_id}" not found')
        session = self.sessions[session_id]
        session.used_at = self.clock()
        return session

    def giver_session(self, session_id: str) -> Session:
        """Find a live session of the Giver.

        Raises:
            Refusal: 404 for no session, 403 for an ordinary one (aisuru-api.md 2, assumption).
        """
        session = self.session(session_id)
        if not session.is_giver:
            raise Refusal(403, "This call needs a session of the Giver")
        return session

    def log_in(self) -> Token:
        """Start a login."""
        token = Token(str(uuid4()), self.clock() + TOKEN_LIFE)
        self.tokens[token.token] = token
        return token

    def check_token(self, value: str) -> None:
        """Insist on a live login token.

        Raises:
            Refusal: -101 unknown, -103 expired (aisuru-api.md 2).
        """
        token = self.tokens.get(value)
        if token is None:
            raise Refusal(-101, "Login session not found")
        if self.clock() >= token.expires_at:
            raise Refusal(-103, "Login session expired")

    def owned_agent(self, memori_id: str) -> Agent:
        """Find an agent of the account by its Backend ID.

        Raises:
            Refusal: -51 (aisuru-api.md 2).
        """
        agent = self.world.agents.get(memori_id)
        if agent is None:
            raise Refusal(-51, "Memori not found")
        return agent


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"
