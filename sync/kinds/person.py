"""People: whom a Memori talks to, and the Giver who teaches it (aisuru-api.md 8.1).

A Receiver's PIN is kept, because a restore needs it. The Giver's opens the agent to anyone: it is
a credential and never kept.
"""

from sync.document import Document
from sync.field import TEXT
from sync.kind import AUDIT, Kind, Limits, Route, Scope

_GIVER = Limits("the Giver is made by the remote", frozenset({"tag", "pin", "personType"}))


def _without_giver_pin(document: Document) -> Document:
    return {**document, "pin": None} if _is_giver(document) and "pin" in document else document


def _limits(document: Document) -> Limits:
    # Its tag and PIN are also held by the Backend, which would not know (aisuru-api.md 8.1).
    return _GIVER if _is_giver(document) else Limits()


def _is_giver(document: Document) -> bool:
    return str(document.get("personType")).lower() == "giver"


PERSON = Kind(
    name="person",
    about="people the agent knows, and its Giver",
    scope=Scope.MEMORI,
    key="personID",
    clean=_without_giver_pin,
    list=Route("GET", "/memori/v2/People/{session}/{from}/{howMany}", "people"),
    get=Route("GET", "/memori/v2/Person/{session}/{personID}", "person"),
    create=Route("POST", "/memori/v2/Person/{session}", "personID"),
    update=Route("PATCH", "/memori/v2/Person/{session}/{personID}"),
    delete=Route("DELETE", "/memori/v2/Person/{session}/{personID}"),
    writable={"name": TEXT, "information": TEXT, "pin": TEXT, "tag": TEXT},
    create_only={"personType": TEXT},
    volatile=AUDIT,
    masked=frozenset({"pin"}),
    twin=("tag",),
    title=("name", "tag"),
    limits=_limits,
)
