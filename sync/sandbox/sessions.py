"""Sessions of the Engine: opening, asking, closing (aisuru-api.md 5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sync.sandbox.people import check_pin
from sync.sandbox.remote import ANONYMOUS_TAG, Refusal, Session
from sync.sandbox.routing import Answer, Request, Route
from sync.sandbox.shapes import SessionBody

if TYPE_CHECKING:
    from sync.sandbox.remote import Remote
    from sync.sandbox.world import Agent, Document


def open_session(request: Request) -> Answer:
    """Open a session; a wrong tag or PIN opens an ordinary one all the same, the trap."""
    body = request.body(SessionBody)
    if not body.get("memoriID"):
        raise Refusal(400, "The memoriID field is required")
    tag, pin = body.get("tag"), body.get("pin")
    if (tag is None) != (pin is None):
        raise Refusal(400, "Tag and PIN require each other")
    check_pin(pin)
    agent = request.remote.world.by_engine_id(body["memoriID"])
    if agent is None:
        raise Refusal(404, f'Memori with ID "{body["memoriID"]}" not found')
    _admit(request.remote, agent, body)
    person = _person(agent, tag, pin)
    session = request.remote.open_session(agent, person)
    return {"sessionID": session.session_id, "currentState": _state(session)}


def get_state(request: Request) -> Answer:
    """Show the state of a session."""
    return {"currentState": _state(request.session())}


def is_valid(request: Request) -> Answer:
    """Tell whether a session lives; an unknown one is no failure."""
    return {"isValid": request.remote.is_alive(request.args["strSessionID"])}


def close(request: Request) -> Answer:
    """Close a session."""
    del request.remote.sessions[request.session().session_id]
    return {}


def _admit(remote: Remote, agent: Agent, body: SessionBody) -> None:
    """Check what stands between a caller and an agent.

    Raises:
        Refusal: 403; a missing password looks like a wrong one (aisuru-api.md 2).
    """
    settings = agent.settings
    wanted = {"PRIVATE": settings.get("secretToken"), "SECRET": agent.password}
    privacy = settings.get("privacyType")
    if privacy in wanted and body.get("password") != wanted[privacy]:
        raise Refusal(403, "The password of this Memori is wrong or missing")
    if (settings.get("nsfw") or settings.get("ageRestriction")) and not body.get("birthDate"):
        raise Refusal(403, "This Memori is aged restricted: a birth date is needed")
    login_token = (body.get("additionalInfo") or {}).get("loginToken")
    if settings.get("requireLoginToken") and login_token not in remote.tokens:
        raise Refusal(403, "This Memori needs a login")


def _person(agent: Agent, tag: str | None, pin: str | None) -> Document | None:
    if tag is None:
        return None
    people = [*agent.people.values(), *filter(None, [agent.unlisted_giver])]
    known = (p for p in people if p.get("tag") == tag and p.get("pin") == pin)
    return next(known, None)


def _state(session: Session) -> Document:
    """What of the state machine a client of the data needs (aisuru-api.md 5)."""
    named = {"stateName": "WaitingForReceiverQuestion", "state": "R1"}
    if session.is_giver:
        named = {"stateName": "WaitingForGiverActivityChoice", "state": "G1"}
    tag = session.person["tag"] if session.person else ANONYMOUS_TAG
    return named | {
        "previousState": "I0",
        "currentTag": tag,
        "currentTagAuthenticated": session.person is not None,
        "acceptsTimeout": False,
        "acceptsMedia": session.is_giver,
        "hints": [],
        "contextVars": {},
    }


ROUTES = [
    Route("POST", "/memori/v2/Session", open_session),
    Route("GET", "/memori/v2/Session/{strSessionID}", get_state),
    Route("GET", "/memori/v2/Session/{strSessionID}/IsValid", is_valid),
    Route("DELETE", "/memori/v2/Session/{strSessionID}", close),
]
