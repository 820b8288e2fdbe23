"""Assets: files of the account, uploaded and served by the Backend (aisuru-api.md 9).

The same path means three things depending on the method: `GET Asset/{file}/{session}`,
`PATCH|DELETE Asset/{token}/{file}`, `POST Asset/{token}/{memori}`.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
from pathlib import PurePath
from typing import TYPE_CHECKING
from uuid import uuid4

import flask

from sync.sandbox.collection import present
from sync.sandbox.filetypes import SIGNATURE_BYTES
from sync.sandbox.remote import Refusal
from sync.sandbox.routing import Answer, Request, Route
from sync.sandbox.shapes import AssetBody
from sync.sandbox.world import ASSET_URL

if TYPE_CHECKING:
    from werkzeug.datastructures import FileStorage

    from sync.sandbox.world import Asset, Document

SIZES = "favicon|16x16|32x32|180x180|192x192|300x300|512x512"
"""Suffixes that ask for a smaller picture; the sandbox serves the original (aisuru-api.md 9.2)."""


def listing(request: Request) -> Answer:
    """List all assets that the user owns, over all agents; no pages, no count."""
    request.check_token()
    assets = request.remote.world.assets.values()
    return {"assets": [asset.document for asset in assets if asset.is_listed]}


def details(request: Request) -> Answer:
    """Show the record of one asset."""
    request.check_token()
    return {"asset": _owned(request, request.args["fileName"]).document}


def upload(request: Request) -> Answer:
    """Take a file, for the account, an agent or one of its memories."""
    token = request.args.get("tokenOrFileName") or request.args["strToken"]
    request.remote.check_token(token)
    memori_id, memory_id = _owner(request)
    part = _part(request)
    name = PurePath(part.filename or "")
    if not name.suffix:
        raise Refusal(-506, "File name missing")
    file = part.stream
    size_bytes = file.seek(0, os.SEEK_END)
    file.seek(0)
    if not size_bytes:
        raise Refusal(-504, "The file is empty")
    if size_bytes > request.remote.upload_limit_bytes:
        raise Refusal(-503, "The file is too long")
    mime = request.remote.mime_type(name.suffix[1:], file.read(SIGNATURE_BYTES))
    file.seek(0)
    if mime is None:
        raise Refusal(-505, "The type or the signature of the file is not allowed")
    asset_id, now = str(uuid4()), request.remote.stamp()
    file_name = asset_id + name.suffix.lower()
    document: Document = {
        "assetID": asset_id,
        "assetURL": ASSET_URL + file_name,
        "mimeType": mime,
        "originalFileName": name.stem,
        "memoriID": memori_id,
        "engineMemoryID": memory_id,
        "creationTimestamp": now,
        "lastChangeTimestamp": now,
    }
    world = request.remote.world
    world.assets[file_name] = world.keep(document, file)
    return {"asset": document}


def _owner(request: Request) -> tuple[str | None, str | None]:
    args = request.args
    memori_id = args.get("strMemoriID") or args.get("sessionIDOrFileNameOrMemoriID")
    memory_id = args.get("strEngineMemoryID")
    if memori_id is not None:
        agent = request.remote.owned_agent(memori_id)
        if memory_id is not None and memory_id not in agent.memories:
            raise Refusal(-507, "Invalid memory ID")
    return memori_id, memory_id


def _part(request: Request) -> FileStorage:
    """The one file part; its name does not matter (aisuru-api.md 9.1)."""
    http = flask.request
    if http.mimetype != "multipart/form-data":
        raise Refusal(-501, "The upload must be multipart")
    if not http.mimetype_params.get("boundary"):
        raise Refusal(-502, "The boundary is missing")
    if (http.content_length or 0) > request.remote.upload_limit_bytes + 64 * 1024:
        raise Refusal(-503, "The file is too long")
    part = next(iter(http.files.values()), None)
    if part is not None:
        return part
    if http.form:
        raise Refusal(-506, "File name missing")
    raise Refusal(-508, "Content missing")


def change(request: Request) -> Answer:
    """Change the record of an asset; the agent it belongs to stays."""
    asset = _written(request)
    body = present(request.body(AssetBody))
    memory_id = body.get("engineMemoryID")
    if memory_id == "-":
        body["engineMemoryID"] = None
    elif memory_id is not None and not _has_memory(request, asset, memory_id):
        raise Refusal(-507, "Invalid memory ID")
    body.pop("remoteSessionCheck", None)
    asset.document |= body | {"lastChangeTimestamp": request.remote.stamp()}
    return {"asset": asset.document}


def _has_memory(request: Request, asset: Asset, memory_id: str) -> bool:
    agent = request.remote.world.agents.get(asset.document.get("memoriID") or "")
    return agent is not None and memory_id in agent.memories


def remove(request: Request) -> Answer:
    """Delete a file and its record."""
    _written(request)
    del request.remote.world.assets[request.args["sessionIDOrFileNameOrMemoriID"]]
    return {}


def _written(request: Request) -> Asset:
    request.remote.check_token(request.args["tokenOrFileName"])
    return _owned(request, request.args["sessionIDOrFileNameOrMemoriID"])


def _owned(request: Request, file_name: str) -> Asset:
    """Find an asset of the user's.

    Raises:
        Refusal: -602 for another user's (aisuru-api.md 2, assumption).
    """
    asset = find(request, file_name)
    if not asset.is_listed:
        raise Refusal(-602, "Asset not accessible")
    return asset


def download(request: Request) -> Answer:
    """Serve the bytes; those bound to a memory only within a session of its agent."""
    asset = find(request, request.args["tokenOrFileName"])
    session_id = request.args.get("sessionIDOrFileNameOrMemoriID")
    if asset.document.get("engineMemoryID"):
        check_session(request, asset, session_id)
    return send(asset)


def check_session(request: Request, asset: Asset, session_id: str | None) -> None:
    """Insist on a live session of the agent that a file belongs to.

    Raises:
        Refusal: -603 no session ID, -602 not one of this agent's (aisuru-api.md 9.2, assumption).
    """
    if session_id is None:
        raise Refusal(-603, "Session ID missing")
    if not request.remote.is_alive(session_id):
        raise Refusal(-602, "Asset not accessible")
    session = request.remote.session(session_id)
    if session.agent.memori_id != asset.document.get("memoriID"):
        raise Refusal(-602, "Asset not accessible")


def send(asset: Asset) -> flask.Response:
    """Answer with ETag, Range and conditions; the docs are silent, web servers do so."""
    try:
        with asset.open() as file:
            etag = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except FileNotFoundError:
        raise Refusal(-601, "Asset not found") from None
    return flask.send_file(
        asset.path or io.BytesIO(asset.content),
        mimetype=asset.document.get("mimeType") or "application/octet-stream",
        etag=etag,
        max_age=0,
    )


def find(request: Request, file_name: str) -> Asset:
    """Find an asset by its file name, with or without a resize suffix.

    Raises:
        Refusal: -604 for what is no file name, -601 for an unknown one.
    """
    if asset := request.remote.world.assets.get(file_name):
        return asset
    match = re.fullmatch(rf"([\w-]+)(?:@(?:{SIZES}))?(\.\w+)", file_name, re.ASCII)
    if match is None:
        raise Refusal(-604, "Invalid file name")
    asset = request.remote.world.assets.get(match[1] + match[2])
    if asset is None:
        raise Refusal(-601, "Asset not found")
    return asset


_SOLO = "/api/v2/Asset/{tokenOrFileName}"
_PAIR = _SOLO + "/{sessionIDOrFileNameOrMemoriID}"

ROUTES = [
    Route("GET", "/api/v2/Assets/{strToken}", listing),
    Route("GET", "/api/v2/AssetDetails/{strToken}/{fileName}", details),
    Route("POST", _SOLO, upload),
    Route("POST", _PAIR, upload),
    Route("POST", "/api/v2/Asset/{strToken}/{strMemoriID}/{strEngineMemoryID}", upload),
    Route("GET", _SOLO, download),
    Route("GET", _PAIR, download),
    Route("PATCH", _PAIR, change),
    Route("DELETE", _PAIR, remove),
]
