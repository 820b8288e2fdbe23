"""What the sandbox remembers: one account with its agents, files and badges.

A world is plain data. It can be built by hand, edited while a sandbox serves it (under
`Sandbox.lock`), written to a JSON file and compared as a dict. Sessions and login tokens are
not part of it: they die with the sandbox (`remote.py`).
"""

from __future__ import annotations

import base64
import io
import json
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import IO

Document = dict[str, Any]
"""One JSON object as the remote shows it."""

ASSET_URL = "https://assets.memori.ai/api/v2/asset/"
"""Where assets say they live: a host of its own, with a lower-case path (aisuru-api.md 1)."""

EPOCH = "2024-01-15T08:30:00.000000Z"
"""When the objects of an empty world were made."""

SINGLE_KEYS = {
    "GIVER_PRESENTATION": "I am {giver}, who teaches this agent.",
    "RECEIVER_GREETING": "Hello {receiver}, good to see you again.",
    "ANONYMOUS_GREETING": "Hello, how can I help?",
    "ASK_TAG": "Who are you?",
    "ASK_PIN": "What is your PIN?",
    "WRONG_PIN": "That PIN is not right.",
    "NO_ANSWER": "I do not know that yet.",
    "ASK_DATE": "When did it happen?",
    "ASK_PLACE": "Where did it happen?",
    "CONFIRM_SAVE": "Shall I keep it?",
    "SAVED": "I will remember.",
    "STORY_INTRO": "Let me tell you something.",
    "TIMEOUT": "Are you still there?",
    "GOODBYE": "See you soon.",
}
"""Keys that exist in every agent and only change their value (aisuru-api.md 8.2).

The vendor's sources name the first one; the others are stand-ins of the same form.
"""


@dataclass
class Account:
    """The one user the sandbox knows.

    Attributes:
        login_refusal: a resultCode that Login answers to the right password, such as -11 or -14;
            0 lets the user in.
        trusted_app_key: of an application that may log the user in; "" if there is none.
    """

    user_id: str
    user_name: str
    email: str
    tenant: str
    password: str
    login_refusal: int = 0
    trusted_app_key: str = ""


@dataclass
class Asset:
    """A file: the record that the remote shows, and the bytes behind it.

    Attributes:
        content: the bytes, if they are kept in memory.
        path: where they lie, if they are not; if nothing is there, they are lost.
        is_listed: False for what another user owns, such as a co-author: it is served, but not
            shown among the account's (aisuru-api.md 14).
    """

    document: Document
    content: bytes = b""
    path: Path | None = None
    is_listed: bool = True

    @classmethod
    def in_memory(cls, document: Document, file: IO[bytes]) -> Asset:
        """Keep what was uploaded."""
        return cls(document, file.read())

    def open(self) -> io.BufferedIOBase:
        """Open the bytes for reading.

        Raises:
            FileNotFoundError: they are lost.
        """
        return self.path.open("rb") if self.path else io.BytesIO(self.content)


@dataclass
class Agent:
    """A Memori: its settings and everything the Engine keeps for it.

    Attributes:
        settings: the Memori document as its owner sees it.
        people, localization_keys, memories: documents by key, in the order of listings. Media
            are embedded in their memory.
        others: {what the Engine calls a list: the same of its other collections}, such as
            `customWords`.
        password: the owner's password of a SECRET Memori; write-only, so never in `settings`.
        unlisted_giver: opens a Giver's sessions, but is not among the people that are shown.
    """

    settings: Document
    people: dict[str, Document] = field(default_factory=dict)
    localization_keys: dict[str, Document] = field(default_factory=dict)
    memories: dict[str, Document] = field(default_factory=dict)
    others: dict[str, dict[str, Document]] = field(default_factory=dict)
    password: str | None = None
    unlisted_giver: Document | None = None

    @classmethod
    def empty(cls, name: str, number: int = 0) -> Agent:
        """Make an agent with only its Giver and the single localization keys.

        Args:
            name: what it is called; ids derive from name and number.
            number: tells agents of the same name apart.
        """
        memori_id, engine_id, giver_id = (
            str(uuid5(NAMESPACE_URL, f"{name}#{number}/{what}"))
            for what in ("memori", "engine", "giver")
        )
        audit = _audit(giver_id)
        settings = {
            "memoriID": memori_id,
            "engineMemoriID": engine_id,
            "name": name,
            "description": f"{name}, an agent of the sandbox",
            "memoriConfigurationID": "MemoriCloud-en_US",
            "culture": "en-US",
            "voiceType": "male",
            "categories": [],
            "isOwner": True,
            "isGiver": True,
            "isReceiver": False,
            "giverTag": "🎓",
            "giverPIN": "271828",
            "privacyType": "PUBLIC",
            "secretToken": None,
            "avatarURL": None,
            "coverURL": None,
            "properties": None,
            "integrations": [],
            "sentInvitations": [],
            "receivedInvitations": [],
            "creationTimestamp": EPOCH,
            "lastChangeTimestamp": EPOCH,
        }
        giver = {
            "personID": giver_id,
            "personType": "Giver",
            "name": "Giver",
            "information": None,
            "pin": settings["giverPIN"],
            "tag": settings["giverTag"],
            **audit,
        }
        keys = {key: {"key": key, "value": value, **audit} for key, value in SINGLE_KEYS.items()}
        return cls(settings=settings, people={giver_id: giver}, localization_keys=keys)

    @property
    def name(self) -> str:
        """What the agent is called."""
        return str(self.settings["name"])

    @property
    def memori_id(self) -> str:
        """The ID of the Backend."""
        return str(self.settings["memoriID"])

    @property
    def engine_id(self) -> str:
        """The ID of the Engine (aisuru-api.md, Naming)."""
        return str(self.settings["engineMemoriID"])

    def collection(self, listed_as: str) -> dict[str, Document]:
        """Documents by key, by what the Engine calls their list."""
        own = {
            "people": self.people,
            "localizationKeys": self.localization_keys,
            "memories": self.memories,
        }
        return own[listed_as] if listed_as in own else self.others.setdefault(listed_as, {})

    def to_json(self) -> dict[str, Any]:
        """All of it as one plain, independent dict; to look at a list that is empty leaves none."""
        others = {name: each for name, each in self.others.items() if each}
        return deepcopy({**vars(self), "others": others})

    @property
    def giver(self) -> Document | None:
        """The person that teaches the agent, if it was ever set up."""
        return next((p for p in self.people.values() if p.get("personType") == "Giver"), None)


@dataclass
class World:
    """Everything durable of one account.

    Attributes:
        agents: by `memoriID`.
        assets: by file name, the last segment of `assetURL`.
        badges: in the order of the listing; they belong to the user (aisuru-api.md 10).
        keep: makes an asset of its record and an uploaded file.
    """

    account: Account
    agents: dict[str, Agent] = field(default_factory=dict)
    assets: dict[str, Asset] = field(default_factory=dict)
    badges: list[Document] = field(default_factory=list)
    keep: Callable[[Document, IO[bytes]], Asset] = Asset.in_memory

    @classmethod
    def empty(cls) -> World:
        """Make an account without agents: user "owner" of tenant "www.aisuru.com"."""
        user_id = str(uuid5(NAMESPACE_URL, "owner"))
        return cls(
            Account(
                user_id=user_id,
                user_name="owner",
                email="owner@example.org",
                tenant="www.aisuru.com",
                password="Correct-horse-1",  # noqa: S106  # of a made-up account on loopback
            )
        )

    def add_agent(self, name: str) -> Agent:
        """Add an agent with only its Giver and the single localization keys."""
        agent = Agent.empty(name, number=len(self.agents))
        agent.settings |= {
            "ownerUserID": self.account.user_id,
            "ownerUserName": self.account.user_name,
            "ownerTenantName": self.account.tenant,
        }
        self.agents[agent.memori_id] = agent
        return agent

    def agent(self, name: str) -> Agent:
        """Find an agent by its name.

        Raises:
            KeyError: no agent is called that.
        """
        for agent in self.agents.values():
            if agent.name == name:
                return agent
        raise KeyError(name)

    def by_engine_id(self, engine_id: str) -> Agent | None:
        """Find an agent by the ID that the Engine knows it by."""
        return next((a for a in self.agents.values() if a.engine_id == engine_id), None)

    def to_json(self) -> dict[str, Any]:
        """Everything durable as one plain, independent dict; bytes in base64."""
        agents = {memori_id: agent.to_json() for memori_id, agent in self.agents.items()}
        assets: dict[str, Document] = {}
        for name, asset in self.assets.items():
            with asset.open() as file:
                content = base64.b64encode(file.read()).decode()
            assets[name] = {"document": deepcopy(asset.document), "content": content}
            if not asset.is_listed:
                assets[name]["is_listed"] = False
        return {
            "account": dict(vars(self.account)),
            "agents": agents,
            "assets": assets,
            "badges": deepcopy(self.badges),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> World:
        """Rebuild a world from what `to_json` gave."""
        data = deepcopy(data)
        return cls(
            account=Account(**data["account"]),
            agents={memori_id: Agent(**agent) for memori_id, agent in data["agents"].items()},
            assets={
                name: Asset(
                    asset["document"],
                    base64.b64decode(asset["content"]),
                    is_listed=asset.get("is_listed", True),
                )
                for name, asset in data["assets"].items()
            },
            badges=data["badges"],
        )

    def save(self, path: Path) -> None:
        """Write the world to a JSON file."""
        path.write_text(json.dumps(self.to_json(), indent=1), encoding="utf-8")

    @classmethod
    def load(cls, path: Path) -> World:
        """Read a world that `save` wrote."""
        return cls.from_json(json.loads(path.read_text(encoding="utf-8")))


def _audit(session_id: str) -> Document:
    return {
        "creationTimestamp": EPOCH,
        "creationSessionID": session_id,
        "lastChangeTimestamp": EPOCH,
        "lastChangeSessionID": session_id,
    }
