"""Intents: what people may want of the agent, and how they say it (aisuru-api.md 11).

Utterances name slots inside their text, and only such as exist. The type is ignored by updates.
"""

from sync.field import BOOLEAN, JSON, REAL, TEXT, under
from sync.kind import AUDIT, Kind, Route, Scope

INTENT = Kind(
    name="intent",
    about="what people may want, and how they say it",
    scope=Scope.MEMORI,
    key="intentID",
    list=Route("GET", "/memori/v2/Intents/{session}/{from}/{howMany}", "intents"),
    get=Route("GET", "/memori/v2/Intent/{session}/{intentID}", "intent"),
    create=Route("POST", "/memori/v2/Intent/{session}", "intentID"),
    update=Route("PATCH", "/memori/v2/Intent/{session}/{intentID}"),
    delete=Route("DELETE", "/memori/v2/Intent/{session}/{intentID}"),
    writable={
        "name": TEXT,
        "utterances": JSON,
        "timeoutIntent": BOOLEAN,
        "webHook": TEXT,
        "validityMinutes": REAL,
    },
    create_only={"intentType": TEXT},
    volatile={**AUDIT, **under("utterances[]", {**AUDIT, "utteranceID": TEXT})},
    after=frozenset({"intent_slot"}),
    title=("name",),
)
