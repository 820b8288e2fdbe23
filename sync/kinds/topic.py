"""Topics: what the agent is about, as the remote makes it out (aisuru-api.md 11).

Its weight follows from all the others and from use, so it is no change.
"""

from sync.field import REAL, TEXT
from sync.kind import AUDIT, Kind, Route, Scope

TOPIC = Kind(
    name="topic",
    about="what the agent is about",
    scope=Scope.MEMORI,
    key="topicID",
    list=Route("GET", "/memori/v2/Topics/{session}/{from}/{howMany}", "topics"),
    get=Route("GET", "/memori/v2/Topic/{session}/{topicID}", "topic"),
    assigned={"name": TEXT},
    volatile={**AUDIT, "weight": REAL},
    title=("name",),
    not_restorable="topics are made out by the remote",
)
