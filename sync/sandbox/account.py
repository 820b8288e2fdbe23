"""Login, user, agents and badges: the Backend without its files (aisuru-api.md 3, 4, 10)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import flask
import jwt

from sync.sandbox.collection import present
from sync.sandbox.remote import LOGIN_ATTEMPTS, Refusal
from sync.sandbox.routing import Answer, Request, Route
from sync.sandbox.shapes import JwtLoginBody, LoginBody, MemoriBody

if TYPE_CHECKING:
    from sync.sandbox.world import Account, Agent, Document

WRITE_ONLY = ("password", "newPassword", "recoveryTokens")
"""Fields of a Memori that no answer shows (aisuru-api.md 4)."""


def log_in(request: Request) -> Answer:
    """Log in by password; too many wrong ones lock the account."""
    remote, account = request.remote, request.remote.world.account
    body = request.body(LoginBody)
    _identify(account, body)
    if remote.login_failures >= LOGIN_ATTEMPTS:
        raise Refusal(-38, "Too many attempts")
    if body.get("password") != account.password:
        remote.login_failures += 1
        raise Refusal(-13, "User or password invalid")
    if account.login_refusal:
        raise Refusal(account.login_refusal, "Login refused", flowID=str(uuid4()))
    remote.login_failures = 0
    return {"user": _user(request), "token": remote.log_in().token, "flowID": None}


def log_in_with_jwt(request: Request) -> Answer:
    """Log in on the word of a trusted application.

    A user that is unknown would be made; here there is one account only, so it is refused. Which
    codes the remote uses is not known.
    """
    account = request.remote.world.account
    body = request.body(JwtLoginBody)
    key = flask.request.headers.get("X-Memori-Trusted-App", "")
    if not key or key != account.trusted_app_key:
        raise Refusal(-101, "The application is not trusted")
    if body.get("tenant") != account.tenant:
        raise Refusal(-1, "Tenant not found")
    try:
        claims = jwt.decode(str(body.get("jwtToken")), key, ["HS256"], {"require": ["exp", "sub"]})
    except jwt.InvalidTokenError:
        raise Refusal(-101, "The token is not valid") from None
    if claims.get("tenant") != account.tenant or claims.get("email") != account.email:
        raise Refusal(-12, "User not found")
    return {"user": _user(request), "token": request.remote.log_in().token, "flowID": None}


def _identify(account: Account, body: LoginBody) -> None:
    missing = {"tenant": (-21, "Tenant"), "password": (-23, "Password")}
    for name, (code, label) in missing.items():
        if not body.get(name):
            raise Refusal(code, f"{label} missing")
    if not (body.get("userName") or body.get("eMail")):
        raise Refusal(-31, "User name or e-mail missing")
    if body.get("tenant") != account.tenant:
        raise Refusal(-1, "Tenant not found")
    known = body.get("userName") in (None, "", account.user_name)
    if not known or body.get("eMail") not in (None, "", account.email):
        raise Refusal(-12, "User not found")


def log_out(request: Request) -> Answer:
    """End a login."""
    request.check_token()
    del request.remote.tokens[request.args["strToken"]]
    return {}


def get_user(request: Request) -> Answer:
    """Show who is logged in."""
    request.check_token()
    return {"user": _user(request)}


def _user(request: Request) -> Document:
    account = request.remote.world.account
    return {
        "tenant": account.tenant,
        "userID": account.user_id,
        "userName": account.user_name,
        "eMail": account.email,
        "admin": False,
        "superAdmin": False,
        "numMemori": len(request.remote.world.agents),
        "notificationPrefs": [],
    }


def health(_request: Request) -> Answer:
    """Be reachable."""
    return {}


def list_agents(request: Request) -> Answer:
    """List the agents that the user owns; not paginated."""
    request.check_token()
    agents = request.remote.world.agents.values()
    return {"memori": [_shown(agent) for agent in agents], "totalCount": len(agents)}


def list_shared(request: Request) -> Answer:
    """List the agents that others share with the user: none, the account is alone here."""
    request.check_token()
    return {"memori": [], "totalCount": 0}


def get_agent(request: Request) -> Answer:
    """Show one agent."""
    request.check_token()
    return {"memori": _shown(request.remote.owned_agent(request.args["strMemoriID"]))}


def change_agent(request: Request) -> Answer:
    """Change settings of an agent."""
    request.check_token()
    agent = request.remote.owned_agent(request.args["strMemoriID"])
    body = present(request.body(MemoriBody))
    _authorise(agent, body)
    _keep_giver(agent, body)
    _set_privacy(agent, body)
    for name in WRITE_ONLY:
        body.pop(name, None)
    agent.settings |= body | {"lastChangeTimestamp": request.remote.stamp()}
    return {"memori": _shown(agent)}


def _authorise(agent: Agent, body: Document) -> None:
    """Ask for the agent's own password, as its present privacy demands (aisuru-api.md 4)."""
    privacy = agent.settings.get("privacyType")
    wanted = {"PRIVATE": agent.settings.get("secretToken"), "SECRET": agent.password}
    if privacy not in wanted:
        return
    if not body.get("password"):
        raise Refusal(-204, "Password missing")
    if body["password"] != wanted[privacy]:
        raise Refusal(-13, "User or password invalid")


def _keep_giver(agent: Agent, body: Document) -> None:
    """Refuse other Giver credentials; the codes have no better source than 8.1."""
    for name, code in (("giverTag", -53), ("giverPIN", -213)):
        if name in body and body[name] != agent.settings.get(name):
            raise Refusal(code, f"The {name} cannot be changed this way")


def _set_privacy(agent: Agent, body: Document) -> None:
    old = agent.settings.get("privacyType")
    new = body.get("privacyType", old)
    if new not in ("PUBLIC", "PRIVATE", "SECRET"):
        raise Refusal(-51, "The privacyType is not valid")
    if new == "SECRET":
        password = body.get("newPassword") or body.get("password")
        if not password:
            raise Refusal(-204, "Password missing")
        agent.password = password
    elif new != old:
        agent.password = None
    if new != old:
        body["secretToken"] = str(uuid4()) if new == "PRIVATE" else None


def _shown(agent: Agent) -> Document:
    return {name: value for name, value in agent.settings.items() if name not in WRITE_ONLY}


def list_badges(request: Request) -> Answer:
    """List the user's badges; no count."""
    request.check_token()
    return {"badges": request.remote.world.badges}


def get_badge(request: Request) -> Answer:
    """Show one badge."""
    request.check_token()
    for badge in request.remote.world.badges:
        if badge["badgeID"] == request.args["strBadgeID"]:
            return {"badge": badge}
    raise Refusal(-2051, "Badge not found")


ROUTES = [
    Route("GET", "/api/v2/HealthCheck", health),
    Route("POST", "/api/v2/Login", log_in),
    Route("POST", "/api/v2/LoginWithJWT", log_in_with_jwt),
    Route("POST", "/api/v2/Logout/{strToken}", log_out),
    Route("POST", "/api/v2/PwlLogout/{strToken}", log_out),
    Route("GET", "/api/v2/User/{strToken}", get_user),
    Route("GET", "/api/v2/PwlUser/{strToken}", get_user),
    Route("GET", "/api/v2/Memori/{strToken}", list_agents),
    Route("GET", "/api/v2/SharedMemori/{strToken}", list_shared),
    Route("GET", "/api/v2/Memori/{strToken}/{strMemoriID}", get_agent),
    Route("PATCH", "/api/v2/Memori/{strToken}/{strMemoriID}", change_agent),
    Route("GET", "/api/v2/Badges/{strToken}", list_badges),
    Route("GET", "/api/v2/Badge/{strToken}/{strBadgeID}", get_badge),
]
