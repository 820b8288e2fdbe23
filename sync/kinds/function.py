"""Functions: what the agent's generative AI may call (aisuru-api.md 11).

The headers of a web hook may hold secrets, so they are never kept. The type is ignored by updates.
"""

from sync.field import JSON, TEXT, under
from sync.kind import AUDIT, Kind, Route, Scope

FUNCTION = Kind(
    name="function",
    about="functions that the agent may call",
    scope=Scope.MEMORI,
    key="functionID",
    allow_list=True,
    list=Route("GET", "/memori/v2/Functions/{session}/{from}/{howMany}", "functions"),
    get=Route("GET", "/memori/v2/Function/{session}/{functionID}", "function"),
    create=Route("POST", "/memori/v2/Function/{session}", "functionID"),
    update=Route("PATCH", "/memori/v2/Function/{session}/{functionID}"),
    delete=Route("DELETE", "/memori/v2/Function/{session}/{functionID}"),
    writable={
        "name": TEXT,
        "description": TEXT,
        "parameters": JSON,
        "webHook": TEXT,
        "httpMethod": TEXT,
        "httpQueryStringTemplate": TEXT,
        "httpBodyTemplate": TEXT,
        "httpBodyContentType": TEXT,
        "sendExtensionHeaders": JSON,
    },
    create_only={"functionType": TEXT},
    volatile={**AUDIT, **under("parameters[]", {**AUDIT, "parameterID": TEXT})},
    secret=frozenset({"httpHeaders"}),
    title=("name",),
)
