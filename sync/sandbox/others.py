"""The other collections of the Engine, each with its own ways (aisuru-api.md 11).

Words, pairs of texts, experts, functions, intents and their slots, open questions, topics.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from uuid import uuid4

from sync.sandbox.collection import (
    Collection,
    add_route,
    get_route,
    list_route,
    remove_route,
    require,
    routes,
)
from sync.sandbox.remote import Refusal, Session
from sync.sandbox.shapes import (
    CorrelationPairBody,
    CustomWordBody,
    CustomWordChangeBody,
    ExpertReferenceBody,
    FunctionBody,
    IntentBody,
    IntentSlotBody,
    UnansweredQuestionBody,
)

if TYPE_CHECKING:
    from sync.sandbox.world import Agent, Document

_SLOT = re.compile(r"\{([^{}]+)\}")


def _only_new_word(session: Session, _document: Document, body: Document) -> None:
    """A word is its own natural key."""
    words = CUSTOM_WORDS.objects(session.agent).values()
    if any(each["word"] == body["word"] for each in words):
        raise Refusal(409, "This word is known already")


def _count_once(_session: Session, _document: Document, body: Document) -> None:
    body["occurrences"] = body.get("occurrences") or 1


def _pair(session: Session, document: Document, body: Document) -> None:
    body["correlated"] = bool(body.get("correlated"))
    _count_once(session, document, body)


def _take_password(_session: Session, _document: Document, body: Document) -> None:
    """What is write-only is kept where no call shows it: here, nowhere."""
    body.pop("expertPassword", None)


def _without_password(_agent: Agent, document: Document) -> Document:
    return {name: each for name, each in document.items() if name != "expertPassword"}


def _keep_type(name: str, body: Document) -> None:
    """A change of the type is ignored."""
    body.pop(name, None)


def _number(session: Session, body: Document, name: str) -> None:
    """Give the parts of an object IDs and audit fields of their own."""
    body[name] = [
        {PARTS[name]: str(uuid4()), **part, **session.created()} for part in body.get(name) or ()
    ]


def _add_function(session: Session, _document: Document, body: Document) -> None:
    for each in body.get("parameters") or ():
        require(each, ("name", "description", "parameterType"))
    _number(session, body, "parameters")


def _change_function(session: Session, _document: Document, body: Document) -> None:
    _keep_type("functionType", body)
    if "parameters" in body:
        _add_function(session, {}, body)


def _distinct_values(_session: Session, _document: Document, body: Document) -> None:
    """Values that come twice are taken once."""
    if body.get("values"):
        body["values"] = list(dict.fromkeys(body["values"]))


def _add_intent(session: Session, _document: Document, body: Document) -> None:
    """Utterances may only use slots that exist."""
    slots = {each["name"] for each in INTENT_SLOTS.objects(session.agent).values()}
    for each in body.get("utterances") or ():
        require(each, ("text",))
        if unknown := set(_SLOT.findall(each["text"])) - slots:
            raise Refusal(422, f"There is no slot {', '.join(sorted(unknown))}")
    _number(session, body, "utterances")


def _change_intent(session: Session, _document: Document, body: Document) -> None:
    _keep_type("intentType", body)
    if "utterances" in body:
        _add_intent(session, {}, body)


def _with_suggestions(agent: Agent, document: Document) -> Document:
    """Derived anew for every look: whole memories that might be an answer."""
    found = list(agent.memories.values())[:1]
    matches = [{"memory": each, "confidence": 0.25, "confidenceLevel": "LOW"} for each in found]
    return {**document, "suggestions": matches}


CUSTOM_WORDS = Collection(
    plural="CustomWords",
    singular="CustomWord",
    key="customWordID",
    listed_as="customWords",
    shown_as="customWord",
    body=CustomWordBody,
    change_body=CustomWordChangeBody,
    required=("word", "definition"),
    on_add=_only_new_word,
)

CORRELATION_PAIRS = Collection(
    plural="CorrelationPairs",
    singular="CorrelationPair",
    key="pairID",
    listed_as="correlationPairs",
    body=CorrelationPairBody,
    required=("text1", "text2"),
    on_add=_pair,
    created_as="correlationPairID",
)

EXPERT_REFERENCES = Collection(
    plural="ExpertReferences",
    singular="ExpertReference",
    key="expertID",
    listed_as="experts",
    shown_as="expert",
    body=ExpertReferenceBody,
    required=("name", "description", "expertMemoriID", "expertBaseURL"),
    on_add=_take_password,
    on_change=_take_password,
    show=_without_password,
    is_open=True,
)

FUNCTIONS = Collection(
    plural="Functions",
    singular="Function",
    key="functionID",
    listed_as="functions",
    shown_as="function",
    body=FunctionBody,
    required=("functionType", "name", "description"),
    on_add=_add_function,
    on_change=_change_function,
)

INTENT_SLOTS = Collection(
    plural="IntentSlots",
    singular="IntentSlot",
    key="intentSlotID",
    listed_as="intentSlots",
    shown_as="intentSlot",
    body=IntentSlotBody,
    required=("name",),
    on_add=_distinct_values,
    on_change=_distinct_values,
)

INTENTS = Collection(
    plural="Intents",
    singular="Intent",
    key="intentID",
    listed_as="intents",
    shown_as="intent",
    body=IntentBody,
    required=("intentType", "name", "utterances"),
    on_add=_add_intent,
    on_change=_change_intent,
)

UNANSWERED_QUESTIONS = Collection(
    plural="UnansweredQuestions",
    singular="UnansweredQuestion",
    key="unansweredQuestionID",
    listed_as="unansweredQuestions",
    body=UnansweredQuestionBody,
    required=("text",),
    on_add=_count_once,
    show=_with_suggestions,
)

TOPICS = Collection(
    plural="Topics",
    singular="Topic",
    key="topicID",
    listed_as="topics",
    shown_as="topic",
)

KNOWN_FACTS = Collection(
    plural="KnownFacts",
    singular="KnownFact",
    key="knownFactID",
    listed_as="knownFacts",
    shown_as="knownFact",
    is_open=True,
)

COLLECTIONS = (
    CUSTOM_WORDS,
    CORRELATION_PAIRS,
    EXPERT_REFERENCES,
    FUNCTIONS,
    INTENT_SLOTS,
    INTENTS,
    UNANSWERED_QUESTIONS,
    TOPICS,
    KNOWN_FACTS,
)
"""All of them."""

PARTS = {"parameters": "parameterID", "utterances": "utteranceID"}
"""Lists inside documents whose elements have IDs of their own."""

ROUTES = [
    *routes(CUSTOM_WORDS),
    *routes(EXPERT_REFERENCES),
    *routes(FUNCTIONS),
    *routes(INTENT_SLOTS),
    *routes(INTENTS),
    *(
        route
        for collection in (CORRELATION_PAIRS, UNANSWERED_QUESTIONS)
        for make in (list_route, add_route, remove_route)
        for route in make(collection)
    ),
    *(
        route
        for collection in (TOPICS, KNOWN_FACTS)
        for make in (list_route, get_route)
        for route in make(collection)
    ),
]
