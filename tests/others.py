"""What agents have besides people, messages and memories, by chance, and what may happen to it."""

import random
from collections.abc import Callable, Iterator
from typing import Any

from sync.sandbox import Agent
from sync.sandbox.others import (
    COLLECTIONS,
    CORRELATION_PAIRS,
    CUSTOM_WORDS,
    EXPERT_REFERENCES,
    FUNCTIONS,
    INTENT_SLOTS,
    INTENTS,
    PARTS,
    TOPICS,
    UNANSWERED_QUESTIONS,
)
from sync.sandbox.shapes import field_names

WORDS = ["sole", "è già", "🦊", "a/b", "  spazi  "]
Make = Callable[[random.Random, Agent], dict[str, Any]]


def _name(chance: random.Random) -> str:
    return f"{chance.choice(WORDS)} {chance.getrandbits(32):08x}"


def _intent(chance: random.Random, agent: Agent) -> dict[str, Any]:
    slots = [each["name"] for each in INTENT_SLOTS.objects(agent).values()]
    texts = [f"where is {{{each}}}?" for each in slots] + WORDS
    return {
        "intentType": chance.choice(["Internal", "WebHook"]),
        "name": _name(chance),
        "utterances": [{"text": each} for each in chance.sample(texts, 2)],
    }


MAKE: dict[str, Make] = {
    CUSTOM_WORDS.listed_as: lambda chance, _: {
        "word": _name(chance),
        "definition": chance.choice(WORDS),
    },
    CORRELATION_PAIRS.listed_as: lambda chance, _: {
        "text1": chance.choice(WORDS),
        "text2": chance.choice(WORDS),
        "correlated": chance.choice([True, False]),
        "occurrences": chance.randrange(9),
    },
    EXPERT_REFERENCES.listed_as: lambda chance, _: {
        "name": chance.choice(WORDS),
        "description": chance.choice(WORDS),
        "default": chance.choice([True, False]),
        "expertMemoriID": _name(chance),
        "expertBaseURL": "https://engine.example",
    },
    FUNCTIONS.listed_as: lambda chance, _: {
        "functionType": "WebHook",
        "name": chance.choice(WORDS),
        "description": chance.choice(WORDS),
        "webHook": "https://hook.example/{day}",
        "parameters": [{"name": "day", "description": "when", "parameterType": "string"}],
    },
    INTENT_SLOTS.listed_as: lambda chance, _: {
        "name": _name(chance),
        "values": chance.sample(WORDS, 2),
        "validityMinutes": 2.5,
    },
    INTENTS.listed_as: _intent,
    UNANSWERED_QUESTIONS.listed_as: lambda chance, agent: {
        "text": chance.choice(WORDS),
        "contextVars": chance.choice([{}, {"DAY": "sunday"}]),
        "occurrences": chance.randrange(9),
        "receiverID": chance.choice([None, *agent.people]),
    },
    TOPICS.listed_as: lambda chance, _: {"name": _name(chance), "weight": 0.5},
}
"""{what a list is called: makes an object of it, without its ID}."""

REWORD = {
    CUSTOM_WORDS.listed_as: "definition",
    EXPERT_REFERENCES.listed_as: "description",
    FUNCTIONS.listed_as: "description",
    INTENT_SLOTS.listed_as: "name",
    INTENTS.listed_as: "name",
}
"""{what a list is called: a field that the owner may change}."""


def add_other(chance: random.Random, agent: Agent, listed_as: str) -> None:
    collection = next(each for each in COLLECTIONS if each.listed_as == listed_as)
    key = f"{chance.getrandbits(64):016x}"
    blank = dict.fromkeys(field_names(collection.body))
    made = MAKE[listed_as](chance, agent)
    collection.objects(agent)[key] = {collection.key: key, **blank, **made}


def new_others(chance: random.Random, agent: Agent) -> None:
    for listed_as in MAKE:
        # The remote itself makes out what the topics are: nobody can bring one back.
        if listed_as != TOPICS.listed_as and chance.random() < 0.5:
            add_other(chance, agent, listed_as)


def lose_others(chance: random.Random, agent: Agent) -> None:
    for listed_as, objects in agent.others.items():
        for key in [each for each in objects if chance.random() < 0.5]:
            if listed_as != TOPICS.listed_as:
                del objects[key]


def change_others(chance: random.Random, agent: Agent) -> None:
    for listed_as, field in REWORD.items():
        for document in agent.collection(listed_as).values():
            if chance.random() < 0.5:
                document[field] = _name(chance)


def others_as_known(agent: Agent) -> dict[str, list[str]]:
    """All of it as its users know it: no IDs, no stamps, and people by their tags."""
    tags = {key: person["tag"] for key, person in agent.people.items()}
    return {
        listed_as: sorted(repr(list(_known(each, tags))) for each in objects.values())
        for listed_as, objects in sorted(agent.others.items())
        if objects
    }


def _known(document: dict[str, Any], tags: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    ids = {*PARTS.values(), *(each.key for each in COLLECTIONS), "occurrences"}
    for name, value in sorted(document.items()):
        if name in ids or name.endswith(("Timestamp", "SessionID")) or value is None:
            continue
        if name == "receiverID":
            yield name, tags[value]
        elif name in PARTS:
            yield name, [list(_known(each, tags)) for each in value]
        else:
            yield name, value
