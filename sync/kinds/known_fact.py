"""Known facts: what the agent remembers of a session's own user (aisuru-api.md 11).

Personal data: under our sessions that is whoever logs in. They come out of conversations; no call
makes one.
"""

from sync.field import TEXT
from sync.kind import AUDIT, Kind, Route, Scope

KNOWN_FACT = Kind(
    name="known_fact",
    about="what the agent remembers of you",
    scope=Scope.MEMORI,
    key="knownFactID",
    is_personal=True,
    list=Route("GET", "/memori/v2/KnownFacts/{session}/{from}/{howMany}", "knownFacts"),
    get=Route("GET", "/memori/v2/KnownFact/{session}/{knownFactID}", "knownFact"),
    assigned={"knownFactType": TEXT, "text": TEXT},
    volatile=AUDIT,
    title=("text",),
    not_restorable="facts come out of conversations",
)
