"""Downloads of URLs in the forms of earlier years, which old documents still hold.

They lead to the same files as today's (aisuru-api.md 9.3). In the part that names the asset one
or several segments must do: a path, then the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import flask

from sync.sandbox.assets import check_session, find, send
from sync.sandbox.remote import Refusal
from sync.sandbox.routing import Answer, Request, Route

if TYPE_CHECKING:
    from sync.sandbox.world import Asset

SESSION_QUERY = "memori-ai-session-id"


def cloud(request: Request) -> Answer:
    """Serve what `cloud://<path>/<file>` stands for."""
    return send(_named(request))


def of_memory(request: Request) -> Answer:
    """Serve a file of a memory; the session comes in the query."""
    asset = _named(request)
    memory_id = request.args.get("strMemoryID")
    if memory_id not in (None, asset.document.get("engineMemoryID")):
        raise Refusal(-601, "Asset not found")
    if asset.document.get("engineMemoryID"):
        check_session(request, asset, flask.request.args.get(SESSION_QUERY))
    return send(asset)


def by_guid(request: Request) -> Answer:
    """Serve what `guid://<id>` stands for: an asset named without its extension."""
    for asset in request.remote.world.assets.values():
        if asset.document["assetID"] == request.args["assetID"]:
            return send(asset)
    raise Refusal(-601, "Asset not found")


def cover(request: Request) -> Answer:
    """Serve the cover of an agent."""
    return send(_of_agent(request, "coverURL"))


def avatar(request: Request) -> Answer:
    """Serve the avatar of an agent."""
    return send(_of_agent(request, "avatarURL"))


def _named(request: Request) -> Asset:
    return find(request, request.args["assetID"].rsplit("/", 1)[-1])


def _of_agent(request: Request, field: str) -> Asset:
    """The picture of the agent with that Engine ID."""
    agent = request.remote.world.by_engine_id(request.args["strMemoriID"])
    if agent is None:
        raise Refusal(-51, "Memori not found")
    return find(request, (agent.settings.get(field) or "").rsplit("/", 1)[-1])


_MEMORIAI = "/api/v1/memoriai"

ROUTES = [
    Route("GET", "/api/v1/CloudAsset/{assetID*}", cloud),
    Route("GET", "/api/v1/GuidAsset/{assetID}", by_guid),
    Route("GET", _MEMORIAI + "/memory/media/cloud/{assetID*}", of_memory),
    Route("GET", _MEMORIAI + "/memory/{strMemoryID}/media/cloud/{assetID*}", of_memory),
    Route("GET", _MEMORIAI + "/memori/cover/{strMemoriID}", cover),
    Route("GET", _MEMORIAI + "/memori/avatar/{strMemoriID}", avatar),
]
