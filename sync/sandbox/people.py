"""People: the Giver, who teaches an agent, and the Receivers it knows (aisuru-api.md 8.1)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sync.sandbox.collection import Collection
from sync.sandbox.remote import Refusal, Session
from sync.sandbox.shapes import PersonBody

if TYPE_CHECKING:
    from sync.sandbox.world import Document


def check_pin(pin: str | None) -> None:
    """Insist on six digits as text.

    Raises:
        Refusal: 400.
    """
    if pin is not None and not re.fullmatch(r"[0-9]{6}", pin):
        raise Refusal(400, "The PIN must be a string of 6 digits")


def _check_add(session: Session, document: Document, body: Document) -> None:
    check_pin(body["pin"])
    if body["personType"] != "Receiver":
        raise Refusal(422, "Only a Receiver can be added")
    _check_tag(session, document, body)


def _check_change(session: Session, document: Document, body: Document) -> None:
    check_pin(body.get("pin"))
    if body.get("personType", document["personType"]) != document["personType"]:
        raise Refusal(422, "The type of a person cannot be changed")
    _check_tag(session, document, body)


def _check_tag(session: Session, document: Document, body: Document) -> None:
    """Tags are unique per Memori (aisuru-api.md 8.1, assumption)."""
    tag = body.get("tag")
    if tag is None or tag == document.get("tag"):
        return
    if any(other.get("tag") == tag for other in session.agent.people.values()):
        raise Refusal(409, "Another person has this tag")


def _check_remove(session: Session, document: Document) -> None:
    """Only Receivers can be removed; what was for them alone becomes public.

    What happens to such memories is stated nowhere; a dangling receiverID would be worse.
    """
    if document["personType"] != "Receiver":
        raise Refusal(422, "Only a Receiver can be removed")
    questions = session.agent.collection("unansweredQuestions")
    for each in (*session.agent.memories.values(), *questions.values()):
        if each.get("receiverID") == document["personID"]:
            each["receiverID"] = None


PEOPLE = Collection(
    plural="People",
    singular="Person",
    key="personID",
    listed_as="people",
    shown_as="person",
    body=PersonBody,
    required=("personType", "name", "pin"),
    on_add=_check_add,
    on_change=_check_change,
    on_remove=_check_remove,
)
