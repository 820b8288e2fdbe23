"""The sandbox held to the vendor's API description while it is being used.

`Contract.wrap` goes around a sandbox's app and compares every request and answer with
aisuru-openapi.yaml, by openapi-core. A request counts only if the remote took it: tests send
wrong ones on purpose. What it notes names templates, fields and rules, never values, since
paths and bodies hold sessions, tokens and passwords.
"""

from __future__ import annotations

import io
import json
import re
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict
from werkzeug.wrappers import Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

SPEC = Path(__file__).with_name("aisuru-openapi.yaml")
METHODS = ("get", "post", "patch", "delete")
_ID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z")
_DIGIT = re.compile(rb"\d")


class Contract:
    """What was said on the wire and should not have been.

    Attributes:
        violations: one line each: method, template, problem.
    """

    def __init__(self) -> None:
        self.violations: list[str] = []
        self.checked = 0

    def check(self) -> None:
        """Insist that nothing was wrong.

        Raises:
            AssertionError: naming all that was.
        """
        assert not self.violations, "\n".join(dict.fromkeys(self.violations))

    def wrap(self, app: WSGIApplication) -> WSGIApplication:
        """Put the contract around an app."""

        def checked(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            request = _Request(environ, body)
            response = _Response(Response.from_app(app, environ, buffered=True))
            mark = _mark(request, response)
            if mark not in _right():
                problems = list(_problems(request, response))
                self.violations += [
                    f"{request.method.upper()} {request.template}: {each}" for each in problems
                ]
                if not problems:
                    _right().add(mark)
            self.checked += 1
            return response.wsgi(environ, start_response)

        return checked


class _Request:
    """A WSGI request as openapi-core wants to see it, in the documented letter case."""

    host_url = "http://sandbox"

    def __init__(self, environ: WSGIEnvironment, body: bytes) -> None:
        self.method = environ["REQUEST_METHOD"].lower()
        self.template, self.path = _resolve(environ["PATH_INFO"])
        self.body = body
        self.content_type = environ.get("CONTENT_TYPE", "")
        names = [name for name in environ if name.startswith("HTTP_")]
        headers = {name[5:].replace("_", "-").title(): environ[name] for name in names}
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(), header=Headers(headers), cookie=ImmutableMultiDict()
        )


class _Response:
    """A WSGI answer as openapi-core wants to see it."""

    def __init__(self, response: Response) -> None:
        self.wsgi = response
        self.data = response.get_data()
        self.status_code = response.status_code
        self.headers = response.headers
        self.content_type = response.headers.get("Content-Type", "")
        try:
            answer = json.loads(self.data)
        except ValueError:
            answer = None
        self.json: dict[str, Any] | None = answer if isinstance(answer, dict) else None

    def leave_out_known(self, template: str) -> set[int]:
        """Drop listed objects that were found right before; gives the marks of the others.

        The same pages are read again and again, and looking at them is what costs.
        """
        news: dict[int, Any] = {}
        answer = dict(self.json or {})
        for name, items in answer.items():
            if isinstance(items, list):
                said = ((_plain(json.dumps(item).encode()), item) for item in items)
                marked = {hash((template, name, plain)): item for plain, item in said}
                fresh = {mark: item for mark, item in marked.items() if mark not in _right()}
                answer[name] = list(fresh.values())
                news |= fresh
        if self.json is not None:
            self.json, self.data = answer, json.dumps(answer).encode()
        return set(news)

    @property
    def succeeded(self) -> bool:
        """Whether the remote did what it was asked for."""
        if self.json is not None and "resultCode" in self.json:
            return self.json["resultCode"] == 0
        return self.status_code in (200, 206, 304)


def _problems(request: _Request, response: _Response) -> Iterator[str]:
    operation = _operations().get((request.method, request.template))
    if operation is None:
        if response.succeeded:
            yield "answered, but not in the description"
        return
    if response.succeeded:
        yield from (f"request: {text}" for text in _invalid(_api().validate_request, request))
    if response.status_code in (206, 304, 416):
        return  # parts of files, which the description does not know
    described = operation["responses"]["200"]["content"].get("application/json")
    marks = response.leave_out_known(str(request.template)) if described else set()
    problems = list(_invalid(_api().validate_response, request, response))
    if described and response.json is not None:
        problems += _strangers(described["schema"], response.json)
    if not problems:
        _right().update(marks)
    yield from (f"answer: {problem}" for problem in problems)


@cache
def _right() -> set[int]:
    """Marks of calls, and of listed objects, that were found right before."""
    return set()


def _mark(request: _Request, response: _Response) -> int:
    """The same for calls that only differ in ids, times and digits: one is as right as another."""
    said = (request.path.encode(), request.body, response.wsgi.get_data())
    ended = (response.content_type, response.status_code, response.succeeded)
    types = (request.method, request.template, request.content_type, *ended)
    return hash((*types, *map(_plain, said)))


def _plain(said: bytes) -> bytes:
    """What was said, with all ids, times and digits alike: no rule tells those apart."""
    return _DIGIT.sub(b"0", _TIME.sub(b"T", _ID.sub(b"I", said)))


def _invalid(validate: Any, *args: Any) -> Iterator[str]:
    try:
        validate(*args)
    except OpenAPIError as problem:
        causes = getattr(problem.__cause__, "schema_errors", ())
        if not causes:
            yield " < ".join(type(p).__name__ for p in (problem, problem.__cause__) if p)
        for cause in causes:
            yield f"{cause.json_path}: {cause.validator} {str(cause.validator_value)[:80]}"


def _strangers(schema: dict[str, Any], value: Any, where: str = "$") -> Iterator[str]:
    """Fields that the description does not have; it allows them, but a typo is one too."""
    if isinstance(value, list):
        inner = _flat(json.dumps(schema)).get("items")
        for item in value if inner else ():
            yield from _strangers(inner, item, where + "[]")
    if not isinstance(value, dict):
        return
    flat = _flat(json.dumps(schema))
    if not flat["properties"] or flat.get("additionalProperties"):
        return
    for name, inner in value.items():
        if name not in flat["properties"]:
            yield f"{where}.{name}: not in the description"
        elif isinstance(inner, dict | list):
            yield from _strangers(flat["properties"][name], inner, f"{where}.{name}")


@cache
def _flat(schema_text: str) -> dict[str, Any]:
    """A schema with its references followed and its `allOf` merged."""
    schema = json.loads(schema_text)
    while "$ref" in schema:
        schema = _spec()["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    flat: dict[str, Any] = {**schema, "properties": dict(schema.get("properties", {}))}
    for part in schema.get("allOf", ()):
        flat["properties"] |= _flat(json.dumps(part))["properties"]
    return flat


def _resolve(path: str) -> tuple[str | None, str]:
    """The template of a path, and the path with its fixed segments in the documented case."""
    # In old URLs the asset may be named by several segments (aisuru-api.md 9.3).
    path = re.sub(r"(/CloudAsset|/media/cloud)/.*/", r"\1/", path, flags=re.IGNORECASE)
    given = path.split("/")
    for template in _templates().get(len(given), ()):
        pairs = list(zip(template, given, strict=True))
        if all(want.startswith("{") or want.lower() == have.lower() for want, have in pairs):
            spelled = [have if want.startswith("{") else want for want, have in pairs]
            return "/".join(template), "/".join(spelled)
    return None, path


@cache
def _templates() -> dict[int, list[list[str]]]:
    by_length: dict[int, list[list[str]]] = {}
    # The more fixed segments, the sooner: Asset/unlogged/… before Asset/{token}/….
    for path in sorted(_spec()["paths"], key=lambda path: path.count("{")):
        by_length.setdefault(path.count("/") + 1, []).append(path.split("/"))
    return by_length


@cache
def _operations() -> dict[tuple[str, str], dict[str, Any]]:
    return {
        (method, path): item[method]
        for path, item in _spec()["paths"].items()
        for method in METHODS
        if method in item
    }


@cache
def _spec() -> dict[str, Any]:
    spec: dict[str, Any] = yaml.load(SPEC.read_bytes(), Loader=yaml.CSafeLoader)
    for item in spec["paths"].values():
        # Any host will do; and the name of a multipart part is irrelevant (aisuru-api.md 9.1).
        item.pop("servers", None)
        parts = item.get("post", {}).get("requestBody", {}).get("content", {})
        parts.get("multipart/form-data", {}).get("schema", {}).pop("required", None)
    # aisuru-api.md 4 has an operation that the file lacks.
    agent = spec["paths"]["/api/v2/Memori/{strToken}/{strMemoriID}"]
    fields = spec["components"]["schemas"]["Memori"]["properties"]
    writable = {name: field for name, field in fields.items() if not field.get("readOnly")}
    body = {"application/json": {"schema": {"type": "object", "properties": writable}}}
    agent["patch"] = {
        "operationId": "updateMemori",
        "requestBody": {"required": True, "content": body},
        "responses": agent["get"]["responses"],
    }
    _add_integrations(spec)
    return spec


def _add_integrations(spec: dict[str, Any]) -> None:
    """The operations that aisuru-api.md 11 names, and of which the file has only the schema."""

    def answer(fields: dict[str, Any]) -> dict[str, Any]:
        envelope = {"$ref": "#/components/schemas/Envelope"}
        schema = {"allOf": [envelope, {"type": "object", "properties": fields}]}
        content = {"application/json": {"schema": schema}}
        failure = {"$ref": "#/components/responses/Failure"}
        return {"200": {"description": "", "content": content}, "default": failure}

    def operation(name: str, fields: dict[str, Any], body: dict[str, Any] | None = None) -> Any:
        sent = {"requestBody": {"required": True, "content": body}} if body else {}
        return {"operationId": name, "responses": answer(fields), **sent}

    def path(name: str) -> dict[str, Any]:
        return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}

    ref = {"$ref": "#/components/schemas/Integration"}
    one, many = {"integration": ref}, {"integrations": {"type": "array", "items": ref}}
    fields = spec["components"]["schemas"]["Integration"]["properties"]
    writable = {name: each for name, each in fields.items() if name != "integrationID"}
    body = {"application/json": {"schema": {"type": "object", "properties": writable}}}
    token = path("strToken")
    spec["paths"] |= {
        "/api/v2/Integrations/{strToken}/{strMemoriID}": {
            "parameters": [token, path("strMemoriID")],
            "get": operation("getIntegrations", many),
        },
        "/api/v2/Integration/{strToken}": {
            "parameters": [token],
            "post": operation("createIntegration", one, body),
        },
        "/api/v2/Integration/{strToken}/{strIntegrationID}": {
            "parameters": [token, path("strIntegrationID")],
            "get": operation("getIntegration", one),
            "patch": operation("updateIntegration", one, body),
            "delete": operation("deleteIntegration", {}),
        },
    }


@cache
def _api() -> OpenAPI:
    config = Config(extra_format_validators={"date-time": _is_time})
    return OpenAPI.from_dict(_spec(), config=config)


def _is_time(value: object) -> bool:
    """A date and time, perhaps without zone or with 7 digits of fraction (aisuru-api.md 2)."""
    if not isinstance(value, str):
        return True
    match = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,7})?(Z|[+-]\d\d:\d\d)?", value)
    try:
        return match is not None and bool(datetime.fromisoformat(match[1]))
    except ValueError:
        return False
