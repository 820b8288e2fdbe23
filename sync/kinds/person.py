"""People: whom a Memori talks to, and the Giver who teaches it (aisuru-api.md 8.1)."""

from sync.kind import AUDIT, TEXT, Kind, Route, Scope

PERSON = Kind(
    name="person",
    about="people the agent knows, and its Giver",
    scope=Scope.MEMORI,
    key="personID",
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
