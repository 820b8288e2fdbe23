"""Integrations: pages and channels, embedded in the agent's settings (aisuru-api.md 4 and 11).

Whether a change of one touches its agent's `lastChangeTimestamp` no source says: here it does not,
which is the harder way for a client. Which code an unknown one gets is not known either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

from sync.sandbox.collection import present, require
from sync.sandbox.remote import Refusal
from sync.sandbox.routing import Answer, Request, Route
from sync.sandbox.shapes import IntegrationBody, field_names

if TYPE_CHECKING:
    from sync.sandbox.world import Agent, Document


def listing(request: Request) -> Answer:
    """List the integrations of an agent; no count, no pages."""
    request.check_token()
    return {"integrations": _of(request.remote.owned_agent(request.args["strMemoriID"]))}


def get(request: Request) -> Answer:
    """Show one integration."""
    return {"integration": _find(request)[1]}


def add(request: Request) -> Answer:
    """Add one to the agent that the body names."""
    request.check_token()
    body: Document = dict(request.body(IntegrationBody))
    require(body, ("memoriID", "type"))
    agent = request.remote.owned_agent(body["memoriID"])
    time = request.remote.stamp()
    made = {
        "integrationID": str(uuid4()),
        **dict.fromkeys(field_names(IntegrationBody)),
        **body,
        "creationTimestamp": time,
        "lastChangeTimestamp": time,
    }
    _of(agent).append(made)
    return {"integration": made}


def change(request: Request) -> Answer:
    """Change one; its agent stays."""
    _, integration = _find(request)
    body = present(request.body(IntegrationBody))
    body.pop("memoriID", None)
    integration |= body | {"lastChangeTimestamp": request.remote.stamp()}
    return {"integration": integration}


def remove(request: Request) -> Answer:
    """Remove one."""
    agent, integration = _find(request)
    _of(agent).remove(integration)
    return {}


def _of(agent: Agent) -> list[Document]:
    if agent.settings.get("integrations") is None:
        agent.settings["integrations"] = []
    integrations: list[Document] = agent.settings["integrations"]
    return integrations


def _find(request: Request) -> tuple[Agent, Document]:
    """The integration that the path names, and whose it is."""
    request.check_token()
    key = request.args["strIntegrationID"]
    for agent in request.remote.world.agents.values():
        for each in _of(agent):
            if each["integrationID"] == key:
                return agent, each
    raise Refusal(404, f'Integration with ID "{key}" not found')


_ONE = "/api/v2/Integration/{strToken}/{strIntegrationID}"

ROUTES = [
    Route("GET", "/api/v2/Integrations/{strToken}/{strMemoriID}", listing),
    Route("POST", "/api/v2/Integration/{strToken}", add),
    Route("GET", _ONE, get),
    Route("PATCH", _ONE, change),
    Route("DELETE", _ONE, remove),
]
