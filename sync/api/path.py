"""How calls are addressed and named: templates filled, and never a secret in a name. Pure."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from sync.errors import BadAnswer
from sync.kind import Route


def name_of(route: Route) -> str:
    """How a call is named in logs and errors: method and template, or just the host of a URL."""
    parts = urlsplit(route.template)
    return f"{route.method} {parts.netloc or route.template}"


def lacking(route: Route, field: str) -> BadAnswer:
    """The error of an answer that lacks a field."""
    return BadAnswer(f"{name_of(route)}: there is no `{field}`")


def fill(route: Route, path: Mapping[str, Any]) -> str:
    """A route's template with its parameters in place; only optional ones may be left out.

    Raises:
        BadAnswer: a value is missing, or cannot stand in a path.
    """
    segments: list[str] = []
    for segment in route.template.split("/"):
        name = segment[1:-1] if segment.startswith("{") else ""
        value = path.get(name) if name else segment
        if name and (value is None or value == ""):
            if name in route.optional:
                break
            raise BadAnswer(f"{name_of(route)} cannot be called without {name}")
        if value in (".", ".."):
            raise BadAnswer(f"{name_of(route)} cannot be called with {name} {value!r}")
        segments.append(quote(str(value), safe="", errors="surrogatepass"))
    return "/".join(segments)
