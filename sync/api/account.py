"""The way in: login, the account's Memoris, and Giver sessions that really are the Giver's."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import structlog

from sync.api.path import lacking, name_of
from sync.api.remote import Access
from sync.api.transport import Transport
from sync.document import Document, is_objects, storable
from sync.errors import AccessDenied, AccountRefused, BadAnswer, Refused, RemoteError, UsageError
from sync.kind import Route, is_usable_key
from sync.wording import quoted

_LOGIN = Route("POST", "/api/v2/Login", "token")
_TRUSTED_LOGIN = Route("POST", "/api/v2/LoginWithJWT", "token")
_LOGOUT = Route("POST", "/api/v2/Logout/{token}")
_USER = Route("GET", "/api/v2/User/{token}", "user")
_MEMORIS = Route("GET", "/api/v2/Memori/{token}", "memori")
_OPEN_SESSION = Route("POST", "/memori/v2/Session", "sessionID")
_CLOSE_SESSION = Route("DELETE", "/memori/v2/Session/{session}")

_FORBIDDEN = 403
_CHECK_KEY = "check the application's key, and that `user` in [account] is the owner's e-mail"
_NO_SUCH_USER = -12
_SIGNED_FOR = timedelta(minutes=5)
# Age checks want a birth date; it is never stored (aisuru-api.md 5).
_BIRTH_DATE = "1970-01-01T00:00:00Z"


@dataclass(frozen=True)
class Credentials:
    """How to log in: a ready token, or tenant, user and either a password or a key.

    Attributes:
        user: name or e-mail; for a key it must be the e-mail.
        trusted_app_key: of an application that may log its users in (aisuru-api.md 3).
    """

    tenant: str = ""
    user: str = ""
    password: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    trusted_app_key: str = field(default="", repr=False)


@dataclass(frozen=True)
class Agent:
    """A Memori as one needs it to open a Giver session; secrets live here and nowhere else."""

    memori_id: str
    engine_memori_id: str
    name: str
    giver_tag: str
    giver_pin: str = field(repr=False)
    password: str = field(repr=False)
    needs_login_token: bool

    @classmethod
    def of(cls, document: Document) -> "Agent":
        """Read a Memori as the Backend lists it (aisuru-api.md 4).

        A co-author finds tag and PIN of the Giver in the invitation that was accepted.
        """
        invitations = document.get("receivedInvitations")
        giver: Document = next(
            (
                each
                for each in (invitations if isinstance(invitations, list) else [])
                if isinstance(each, dict)
                and (each.get("type"), each.get("state")) == ("GIVER", "ACCEPTED")
            ),
            {},
        )
        engine_id = document.get("engineMemoriID")
        return cls(
            memori_id=str(document.get("memoriID")),
            engine_memori_id=str(engine_id) if is_usable_key(engine_id) else "",
            name=storable(str(document.get("name") or "")),
            giver_tag=str(document.get("giverTag") or giver.get("tag") or ""),
            giver_pin=str(document.get("giverPIN") or giver.get("pin") or ""),
            password=str(document.get("secretToken") or ""),
            needs_login_token=bool(document.get("requireLoginToken")),
        )


class Account:
    """An account that is logged in.

    Attributes:
        access: the calls under its login token.
        user_id: the remote's id of its user.
        name: of its user.
    """

    def __init__(self, transport: Transport, credentials: Credentials) -> None:
        self._transport = transport
        self._credentials = credentials
        self.access = Access(transport, "token", self._log_in)
        self.user_id = ""
        self.name = credentials.user

    @property
    def repeats(self) -> int:
        """How many calls had to be made again so far."""
        return self._transport.repeats

    def log_in(self) -> None:
        """Get a login token, and learn whose account this is.

        Raises:
            AccessDenied: user, password or token are not accepted; never tried twice.
        """
        known = self._credentials
        for secret in (known.password, known.token, known.trusted_app_key):
            self._transport.redactor.learn(secret)
        with self._transport.stop.shield():
            self.access.open()
        if not self.user_id:
            self._learn_user(self.access.call(_USER, {}).get(_USER.answer))

    def log_out(self) -> None:
        """Give back a token that was got by a password; a ready one stays as it is."""
        if self.access.credential["token"] and not self._credentials.token:
            self._part(_LOGOUT, self.access.credential)

    def agents(self) -> list[Agent]:
        """The Memoris that the account owns.

        Raises:
            BadAnswer: they do not come as a list of objects.
        """
        found = self.access.call(_MEMORIS, {}).get(_MEMORIS.answer)
        if not is_objects(found):
            raise BadAnswer(f"{name_of(_MEMORIS)}: `{_MEMORIS.answer}` is not a list of objects")
        # Without an id there is nothing to do for one; the listing of Memoris tells of it.
        return [Agent.of(each) for each in found if is_usable_key(each.get("memoriID"))]

    @contextmanager
    def giver(self, agent: Agent, password: str = "") -> Iterator[Access]:
        """Open a Giver session, and close it whatever happens.

        Args:
            agent: whose.
            password: a SECRET Memori's own password.

        Raises:
            AccessDenied: password, tag or PIN are not accepted.
        """
        for secret in (agent.giver_pin, agent.password, password):
            self._transport.redactor.learn(secret)
        access = Access(self._transport, "session", lambda: self._open_session(agent, password))
        with self._transport.stop.shield():
            access.open()
        try:
            yield access
        finally:
            self._part(_CLOSE_SESSION, access.credential)

    def _log_in(self) -> str:
        known = self._credentials
        if known.token:
            if self.access.credential["token"]:
                raise AccountRefused("the login token has ended", "get a new one", code=-103)
            return known.token
        route, answer = self._with_key() if known.trusted_app_key else self._with_password()
        token = answer.get(route.answer)
        if not isinstance(token, str) or not token:
            raise lacking(route, route.answer)
        self._learn_user(answer.get("user"))
        return token

    def _with_password(self) -> tuple[Route, Document]:
        known = self._credentials
        name = "eMail" if "@" in known.user else "userName"
        body = {"tenant": known.tenant, name: known.user, "password": known.password}
        return _LOGIN, self._transport.call(_LOGIN, {}, body)

    def _with_key(self) -> tuple[Route, Document]:
        """Log in as an application that the site trusts.

        Raises:
            AccountRefused: it was somebody else who got in: the remote makes a user that it does
                not know, and an empty account would look like a loss of everything.
        """
        known = self._credentials
        headers = {"X-Memori-Trusted-App": known.trusted_app_key}
        body = {"tenant": known.tenant, "jwtToken": _signed(known)}
        self._transport.redactor.learn(body["jwtToken"])
        try:
            answer = self._transport.call(_TRUSTED_LOGIN, {}, body, headers=headers)
        except Refused as error:
            # With which codes it refuses is not known; whichever it is, a human has to look.
            raise AccountRefused(str(error), _CHECK_KEY, code=error.code) from None
        user = answer.get("user")
        found = str(user.get("eMail")) if isinstance(user, dict) else ""
        if found.lower() != known.user.lower():
            why = f"{name_of(_TRUSTED_LOGIN)}: another user was logged in than {known.user!r}"
            raise AccountRefused(why, _CHECK_KEY, code=_NO_SUCH_USER)
        return _TRUSTED_LOGIN, answer

    def _learn_user(self, user: Any) -> None:
        known = user if isinstance(user, dict) else {}
        if not known.get("userID"):
            raise BadAnswer("the login does not say whose account this is: there is no `userID`")
        self.user_id = str(known["userID"])
        self.name = str(known.get("userName") or known.get("eMail") or self.name)

    def _open_session(self, agent: Agent, password: str) -> str:
        if not agent.engine_memori_id:
            raise BadAnswer(f"Memori {agent.name!r} came without a usable engineMemoriID")
        body: dict[str, Any] = {"memoriID": agent.engine_memori_id, "birthDate": _BIRTH_DATE}
        if agent.giver_tag and agent.giver_pin:
            body |= {"tag": agent.giver_tag, "pin": agent.giver_pin}
        if password or agent.password:
            body["password"] = password or agent.password
        if agent.needs_login_token:
            body["additionalInfo"] = {"loginToken": self.access.credential["token"]}
        try:
            answer = self._transport.call(_OPEN_SESSION, {}, body)
        except AccessDenied as error:
            error.hint = f"give Memori {agent.name!r} its own password: `password_file`"
            raise
        session = answer.get(_OPEN_SESSION.answer)
        if not isinstance(session, str) or not session:
            raise lacking(_OPEN_SESSION, _OPEN_SESSION.answer)
        self._transport.redactor.learn(session)
        if not is_giver(answer.get("currentState"), agent.giver_tag):
            self._part(_CLOSE_SESSION, {"session": session})
            raise AccessDenied(
                f"the session of Memori {agent.name!r} is not its Giver's",
                "tag or PIN of the Giver are not accepted: check them on the site",
                code=_FORBIDDEN,
            )
        structlog.get_logger("account").info("session.opened", memori=agent.name)
        return session

    def _part(self, route: Route, credential: Mapping[str, str]) -> None:
        """Say farewell, if need be in vain: a session ends by itself, too."""
        with self._transport.stop.shield():
            try:
                self._transport.call(route, credential, parting=True)
            except RemoteError as error:
                structlog.get_logger("account").warning("farewell.failed", why=str(error))


OpenAccount = Callable[[], AbstractContextManager[Account]]
"""Logs in."""
OpenGiver = Callable[[Agent, str], AbstractContextManager[Access]]
"""Opens the Giver session of an agent, given its own password."""


def _signed(known: Credentials) -> str:
    """Who logs in, signed for some minutes (aisuru-api.md 3)."""
    now = datetime.now(UTC)
    claims = {
        "sub": known.user,
        "email": known.user,
        "name": known.user.partition("@")[0],
        "tenant": known.tenant,
        "iat": now,
        "exp": now + _SIGNED_FOR,
    }
    with warnings.catch_warnings():
        # How long the key is, is for the site to say.
        warnings.simplefilter("ignore")
        try:
            return jwt.encode(claims, known.trusted_app_key, algorithm="HS256")
        except jwt.PyJWTError:
            raise UsageError("the application's key is none to sign with", _CHECK_KEY) from None


def choose_agents(names: Sequence[str], owned: Sequence[Agent]) -> list[Agent]:
    """The Memoris of a run: those named, each once, or all.

    Raises:
        UsageError: a name fits none or several.
    """
    if not names:
        return list(owned)
    chosen = [choose_agent(name, owned) for name in names]
    return list({agent.memori_id: agent for agent in chosen}.values())


def choose_agent(name_or_id: str, owned: Sequence[Agent]) -> Agent:
    """The one Memori with this name or Backend id.

    Raises:
        UsageError: it fits none or several.
    """
    found = [each for each in owned if name_or_id in (each.memori_id, each.name)]
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(each.memori_id for each in found)
        raise UsageError(f"several Memoris are named {name_or_id!r}", f"use an id: {ids}")
    names = quoted(each.name for each in owned)
    raise UsageError(f"the account owns no Memori {name_or_id!r}", f"it owns: {names}")


def is_giver(state: Any, giver_tag: str) -> bool:
    """Does a session's `currentState` say that it is the Giver's?

    A wrong tag or PIN still opens an ordinary session with `resultCode` 0 (aisuru-api.md 5).
    """
    return (
        isinstance(state, dict)
        and bool(giver_tag)
        and state.get("currentTag") == giver_tag
        and state.get("currentTagAuthenticated") is True
    )
