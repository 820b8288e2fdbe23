"""Intent slots: what an utterance may hold in one of its places (aisuru-api.md 11)."""

from sync.field import JSON, REAL, TEXT
from sync.kind import AUDIT, Kind, Route, Scope

INTENT_SLOT = Kind(
    name="intent_slot",
    about="values that an intent's sentences may hold",
    scope=Scope.MEMORI,
    key="intentSlotID",
    list=Route("GET", "/memori/v2/IntentSlots/{session}/{from}/{howMany}", "intentSlots"),
    get=Route("GET", "/memori/v2/IntentSlot/{session}/{intentSlotID}", "intentSlot"),
    create=Route("POST", "/memori/v2/IntentSlot/{session}", "intentSlotID"),
    update=Route("PATCH", "/memori/v2/IntentSlot/{session}/{intentSlotID}"),
    delete=Route("DELETE", "/memori/v2/IntentSlot/{session}/{intentSlotID}"),
    writable={"name": TEXT, "values": JSON, "webHook": TEXT, "validityMinutes": REAL},
    volatile=AUDIT,
    title=("name",),
)
