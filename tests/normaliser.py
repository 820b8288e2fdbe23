"""A WSGI layer that stores what it is sent in a form of its own, as a remote may."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

TEXTS = ("name", "title", "text", "content", "value")
"""Fields whose texts are taken liberties with; keys, types and URLs stay."""


def trimmed(text: str) -> str:
    return " ".join(text.split())


def lower(text: str) -> str:
    return text.lower()


def normaliser(of_text: Callable[[str], str]) -> Callable[[WSGIApplication], WSGIApplication]:
    """A layer that changes the texts that come in, and sorts the tags."""

    def change(name: str, value: Any) -> Any:
        if isinstance(value, dict):
            return {field: change(field, each) for field, each in value.items()}
        if isinstance(value, list):
            changed = [change(name, each) for each in value]
            return sorted(changed) if name == "tags" else changed
        return of_text(value) if name in TEXTS and isinstance(value, str) else value

    def wrap(app: WSGIApplication) -> WSGIApplication:
        def normalised(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
            is_json = environ.get("CONTENT_TYPE", "").startswith("application/json")
            if environ["REQUEST_METHOD"] in ("POST", "PATCH") and is_json:
                body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
                if body:
                    body = json.dumps(change("", json.loads(body))).encode()
                environ["wsgi.input"] = io.BytesIO(body)
                environ["CONTENT_LENGTH"] = str(len(body))
            return app(environ, start)

        return normalised

    return wrap
