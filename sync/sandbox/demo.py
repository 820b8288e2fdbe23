"""The demo account: a small-town museum and what its guide knows.

What is told stands in demo.toml; here it becomes documents as the remote shows them. Nothing
is random: each id is derived from a name, each time from a count, so the demo can be told twice.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from pathlib import PurePath
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from sync.sandbox.chats import CHAT_LOGS, USERS
from sync.sandbox.collection import Collection
from sync.sandbox.drawing import pdf, png
from sync.sandbox.filetypes import mime_type
from sync.sandbox.memories import PLACE
from sync.sandbox.others import COLLECTIONS, PARTS
from sync.sandbox.shapes import MediumBody, MemoryBody, field_names
from sync.sandbox.world import ASSET_URL, Account, Agent, Asset, Document, World

FIRST_DAY = datetime(2024, 3, 4, 9, 0, 12, 345678, tzinfo=UTC)


def demo_world() -> World:
    """Make the demo account: the agents "Guida" and "Archivio", their files, two badges."""
    told = tomllib.loads(files(__package__).joinpath("demo.toml").read_text(encoding="utf-8"))
    return _Teller(told).world


def _id(what: str) -> str:
    return str(uuid5(NAMESPACE_URL, f"https://museoroccaserena.example/{what}"))


@dataclass
class _Teller:
    """Turns what demo.toml tells into a world, one object after the other."""

    told: dict[str, Any]
    world: World = field(init=False)
    urls: dict[str, str] = field(default_factory=dict)
    events: int = 0

    def __post_init__(self) -> None:
        account = Account(user_id=_id("user"), **self.told["account"])
        self.world = World(account)
        contents = {name: png(*spec) for name, spec in self.told["pictures"].items()}
        contents |= {name: pdf(lines) for name, lines in self.told["documents"].items()}
        for name, content in contents.items():
            self._asset(name, content)
        for agent in self.told["agent"]:
            self._agent(agent)
        for number, memory in enumerate(self.told["memory"]):
            self._memory(number, memory)
        self.world.badges = [self._badge(badge) for badge in self.told["badge"]]

    def _time(self) -> str:
        """The next moment, in the mixed spellings of the remote (aisuru-api.md 2)."""
        self.events += 1
        moment = FIRST_DAY + timedelta(hours=5, minutes=37, microseconds=911) * self.events
        text = moment.replace(tzinfo=None).isoformat()
        return text + ("", "Z", "4Z")[self.events % 3]

    def _audit(self, owner: str) -> Document:
        session_id, time = _id(f"session/{owner}/{self.events // 25}"), self._time()
        return {
            "creationTimestamp": time,
            "creationSessionID": session_id,
            "lastChangeTimestamp": time,
            "lastChangeSessionID": session_id,
        }

    def _linked(self, text: str) -> str:
        for name, url in self.urls.items():
            text = text.replace("{" + name + "}", url)
        return text

    def _asset(self, name: str, content: bytes) -> None:
        path, asset_id, time = PurePath(name), _id(f"asset/{name}"), self._time()
        self.urls[name] = ASSET_URL + asset_id + path.suffix
        document = {
            "assetID": asset_id,
            "assetURL": self.urls[name],
            "mimeType": mime_type(path.suffix[1:], content),
            "originalFileName": path.stem,
            "memoriID": None,
            "engineMemoryID": None,
            "creationTimestamp": time,
            "lastChangeTimestamp": time,
        }
        self.world.assets[asset_id + path.suffix] = Asset(document, content)

    def _agent(self, told: dict[str, Any]) -> None:
        name = told["name"]
        agent = self.world.add_agent(name)
        _, tag, pin, _ = told["giver"]
        time = self._time()
        agent.settings |= {
            "description": told["description"],
            "memoriConfigurationID": "MemoriCloud-it_IT",
            "culture": "it-IT",
            "categories": told["categories"],
            "giverTag": tag,
            "giverPIN": pin,
            "privacyType": told["privacyType"],
            "secretToken": told.get("secretToken"),
            "avatarURL": self._picture(told.get("avatar"), agent),
            "coverURL": self._picture(told.get("cover"), agent),
            "integrations": [
                self._integration(text, agent, time) for text in told.get("looks", ())
            ],
            "creationTimestamp": time,
            "lastChangeTimestamp": time,
        }
        receivers = [("Receiver", *person) for person in told["people"]]
        agent.people = {}
        for kind, called, its_tag, its_pin, about in [("Giver", *told["giver"]), *receivers]:
            person_id = _id(f"{name}/person/{called}/{kind}")
            agent.people[person_id] = {
                "personID": person_id,
                "personType": kind,
                "name": called,
                "information": about or None,
                "pin": its_pin,
                "tag": its_tag,
                **self._audit(name),
            }
        for key, value in told["localization"].items():
            agent.localization_keys[key] = {"key": key, "value": value, **self._audit(name)}
        for collection in (*COLLECTIONS, USERS, CHAT_LOGS):
            for number, document in enumerate(told.get(collection.listed_as, ())):
                self._other(agent, collection, number, document)

    def _other(
        self, agent: Agent, collection: Collection, number: int, told: dict[str, Any]
    ) -> None:
        key = _id(f"{agent.name}/{collection.listed_as}/{number}")
        parts = {
            name: [
                {its_key: _id(f"{key}/{place}"), **part, **self._audit(agent.name)}
                for place, part in enumerate(told[name])
            ]
            for name, its_key in PARTS.items()
            if name in told
        }
        blank = dict.fromkeys(field_names(collection.body))
        # A chat has no audit fields: it says itself when it was, and in which session.
        audit = {} if collection is CHAT_LOGS else self._audit(agent.name)
        collection.objects(agent)[key] = {collection.key: key, **blank, **told, **parts, **audit}

    def _picture(self, name: str | None, agent: Agent) -> str | None:
        """The URL of a public picture, which from now on belongs to the agent."""
        if name is None:
            return None
        self._find(name).document["memoriID"] = agent.memori_id
        return self.urls[name]

    def _integration(self, looks: str, agent: Agent, time: str) -> Document:
        for name in self.urls:
            if "{" + name + "}" in looks:
                self._picture(name, agent)
        return {
            "integrationID": _id(f"integration/{agent.name}"),
            "memoriID": agent.memori_id,
            "type": "LANDING_EXPERIENCE",
            "state": "NEW",
            "publish": True,
            "deviceEmails": [self.world.account.email],
            "invocationText": None,
            "jobID": None,
            "customData": self._linked(looks),
            "resources": [],
            "creationTimestamp": time,
            "lastChangeTimestamp": time,
        }

    def _memory(self, number: int, told: dict[str, Any]) -> None:
        agent = self.world.agent(told.get("agent", "Guida"))
        memory_id, owner = _id(f"memory/{number}"), agent.name
        tag = told.get("receiver")
        date, uncertainty_days = told.get("date", (None, None))
        place = told.get("place", (None, None, None, None))
        outcome_type, outcome_code = told.get("outcome", (None, None))
        agent.memories[memory_id] = {
            "memoryID": memory_id,
            **dict.fromkeys(field_names(MemoryBody)),
            "memoryType": told.get("type", "Question"),
            "title": told.get("title"),
            "titleVariants": told.get("variants", []),
            "answers": [
                {"text": self._linked(text), "preformatted": False, **self._audit(owner)}
                for text in told["answers"]
            ],
            "media": [
                self._medium(f"{number}/{position}", medium, agent, memory_id)
                for position, medium in enumerate(told.get("media", ()))
            ],
            "receiverID": next((i for i, p in agent.people.items() if p["tag"] == tag), None),
            "date": date,
            "dateUncertaintyDays": uncertainty_days,
            **dict(zip(PLACE, place, strict=True)),
            "conclusive": told.get("conclusive", False),
            "notPickable": told.get("notPickable", False),
            "help": told.get("help", False),
            "hints": told.get("hints", []),
            "contextVarsToSet": told.get("vars_set", {}),
            "contextVarsToMatch": told.get("vars_match", {}),
            "dcmOutcomeType": outcome_type,
            "dcmOutcomeCode": outcome_code,
            "tags": told.get("tags", []),
            "lastRead": self._time() if number % 4 == 0 else None,
            "readOccurrences": 7 * number % 40 if number % 4 == 0 else 0,
            **self._audit(owner),
        }

    def _medium(self, label: str, told: dict[str, Any], agent: Agent, memory_id: str) -> Document:
        medium: Document = {
            "mediumID": _id(f"medium/{label}"),
            **dict.fromkeys(field_names(MediumBody)),
            "url": told.get("url"),
            "content": told.get("content"),
            "mimeType": told.get("mime"),
            "title": told.get("title"),
            "properties": told.get("props", {}),
            **self._audit(agent.name),
        }
        if "file" in told:
            asset = self._find(told["file"])
            asset.document |= {"memoriID": agent.memori_id, "engineMemoryID": memory_id}
            medium |= {"url": self.urls[told["file"]], "mimeType": asset.document["mimeType"]}
        return medium

    def _badge(self, told: dict[str, Any]) -> Document:
        return {
            "badgeID": _id(f"badge/{told['name']}"),
            "date": self._time(),
            **told,
            "imageURL": self._linked(told["imageURL"]),
            "issuerName": "AIsuru",
            "issuerDescription": "La piattaforma che ospita la guida",
            "issuerEmail": "badge@aisuru.example",
            "issuerURL": "https://aisuru.example",
        }

    def _find(self, name: str) -> Asset:
        return self.world.assets[self.urls[name].removeprefix(ASSET_URL)]
