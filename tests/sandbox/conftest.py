"""A running sandbox under contract, and clients that speak plain HTTP to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import requests
from contract import Contract

from sync.sandbox import Sandbox, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sync.sandbox import Agent


class Clock:
    """A clock that moves when told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@dataclass
class Client:
    """One HTTP connection to a sandbox, with an optional secret for `{s}` in paths."""

    http: requests.Session
    origin: str
    secret: str = ""

    def url(self, path: str) -> str:
        return self.origin + path.replace("{s}", self.secret)

    def raw(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.http.request(method, self.url(path), timeout=10, **options)

    def get(self, path: str) -> dict[str, Any]:
        return self.raw("GET", path).json()

    def post(self, path: str, body: Any = None) -> dict[str, Any]:
        return self.raw("POST", path, json=body).json()

    def patch(self, path: str, body: Any) -> dict[str, Any]:
        return self.raw("PATCH", path, json=body).json()

    def delete(self, path: str) -> dict[str, Any]:
        return self.raw("DELETE", path).json()

    def with_secret(self, secret: str) -> Client:
        return Client(self.http, self.origin, secret)

    def log_in(self, world: World) -> Client:
        account = world.account
        body = {
            "tenant": account.tenant,
            "userName": account.user_name,
            "password": account.password,
        }
        return self.with_secret(self.post("/api/v2/Login", body)["token"])

    def open_giver(self, agent: Agent) -> Client:
        settings = agent.settings
        body = {
            "memoriID": agent.engine_id,
            "password": settings["secretToken"] or agent.password,
            "tag": settings["giverTag"],
            "pin": settings["giverPIN"],
        }
        return self.with_secret(self.post("/memori/v2/Session", body)["sessionID"])


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def contract() -> Iterator[Contract]:
    contract = Contract()
    yield contract
    contract.check()


@pytest.fixture
def world() -> World:
    """Two agents with nothing but what every agent has; the first one is Guide."""
    world = World.empty()
    world.add_agent("Guide")
    world.add_agent("Archive")
    return world


@pytest.fixture
def agent(world: World) -> Agent:
    return world.agent("Guide")


@pytest.fixture
def sandbox(world: World, contract: Contract, clock: Clock) -> Iterator[Sandbox]:
    with Sandbox(world, middleware=contract.wrap, clock=clock) as sandbox:
        yield sandbox


@pytest.fixture
def http() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


@pytest.fixture
def client(sandbox: Sandbox, http: requests.Session) -> Client:
    """Knows the origin, no secret."""
    return Client(http, sandbox.url)


@pytest.fixture
def owner(client: Client, world: World) -> Client:
    """Logged in: `{s}` is the token."""
    return client.log_in(world)


@pytest.fixture
def giver(client: Client, agent: Agent) -> Client:
    """In a session of Guide's Giver: `{s}` is the session ID."""
    return client.open_giver(agent)


@pytest.fixture
def loose(world: World, agent: Agent, http: requests.Session) -> Iterator[Client]:
    """A Giver's session without the contract, for what the description leaves out."""
    with Sandbox(world) as sandbox:
        yield Client(http, sandbox.url).open_giver(agent)
