"""Memories: the contents an agent was taught (aisuru-api.md 8.3).

Their media are a kind of their own and are cut out. `receiverTag` and `receiverName` follow from
the person, `lastRead` and `readOccurrences` from use: none of them is a change.
"""

from sync.field import BOOLEAN, INTEGER, JSON, REAL, TEXT, under
from sync.kind import AUDIT, Clearing, Kind, Ref, Route, Scope

_PLACE = frozenset({"placeLatitude", "placeLongitude", "placeUncertaintyKm"})

MEMORY = Kind(
    name="memory",
    about="questions, stories and other contents",
    scope=Scope.MEMORI,
    key="memoryID",
    # Without a type it is not stated which memories a list holds (aisuru-api.md 8.3).
    list=Route("GET", "/memori/v2/Memories/{session}/{from}/{howMany}/ALL", "memories"),
    get=Route("GET", "/memori/v2/Memory/{session}/{memoryID}", "memory"),
    create=Route("POST", "/memori/v2/Memory/{session}", "memoryID"),
    update=Route("PATCH", "/memori/v2/Memory/{session}/{memoryID}"),
    delete=Route("DELETE", "/memori/v2/Memory/{session}/{memoryID}"),
    writable={
        "memoryType": TEXT,
        "title": TEXT,
        "titleVariants": JSON,
        "answers": JSON,
        "receiverID": TEXT,
        "date": TEXT,
        "dateUncertaintyDays": REAL,
        "placeName": TEXT,
        "placeLatitude": REAL,
        "placeLongitude": REAL,
        "placeUncertaintyKm": REAL,
        "conclusive": BOOLEAN,
        "notPickable": BOOLEAN,
        "help": BOOLEAN,
        "hints": JSON,
        "minTimeout": REAL,
        "maxTimeout": REAL,
        "contextVarsToSet": JSON,
        "contextVarsToMatch": JSON,
        "dcmOutcomeType": TEXT,
        "dcmOutcomeCode": TEXT,
        "tags": JSON,
    },
    volatile={
        **AUDIT,
        **under("answers[]", AUDIT),
        "receiverTag": TEXT,
        "receiverName": TEXT,
        "lastRead": TEXT,
        "readOccurrences": INTEGER,
    },
    refs=(Ref("receiverID", "person", without="it is open to all"),),
    clearing={
        "receiverID": Clearing("-"),
        "placeName": Clearing("-", _PLACE),
        "date": Clearing("0001-01-01T00:00:00", frozenset({"dateUncertaintyDays"})),
    },
    title=("title",),
    embeds=frozenset({"media"}),
)
