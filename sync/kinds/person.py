"""People: whom a Memori talks to, and the Giver who teaches it (aisuru-api.md 8.1).

A Receiver's PIN is kept, because a restore needs it. The Giver's opens the agent to anyone: it is
a credential and never kept.
"""

from sync.document import Document
from sync.kind import AUDIT, TEXT, Kind, Route, Scope


def _without_giver_pin(document: Document) -> Document:
    is_giver = str(document.get("personType")).lower() == "giver"
    return {**document, "pin": None} if is_giver and "pin" in document else document


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
)
