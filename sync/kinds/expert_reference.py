"""Expert references: other agents that this one asks (aisuru-api.md 11).

The password of a private or secret expert can only be written, so no backup has it.
"""

from sync.field import BOOLEAN, TEXT
from sync.kind import AUDIT, Kind, Route, Scope

EXPERT_REFERENCE = Kind(
    name="expert_reference",
    about="other agents that are asked as experts",
    scope=Scope.MEMORI,
    key="expertID",
    allow_list=True,
    list=Route("GET", "/memori/v2/ExpertReferences/{session}/{from}/{howMany}", "experts"),
    get=Route("GET", "/memori/v2/ExpertReference/{session}/{expertID}", "expert"),
    create=Route("POST", "/memori/v2/ExpertReference/{session}", "expertID"),
    update=Route("PATCH", "/memori/v2/ExpertReference/{session}/{expertID}"),
    delete=Route("DELETE", "/memori/v2/ExpertReference/{session}/{expertID}"),
    writable={
        "name": TEXT,
        "description": TEXT,
        "default": BOOLEAN,
        "expertMemoriID": TEXT,
        "expertBaseURL": TEXT,
    },
    volatile=AUDIT,
    secret=frozenset({"expertPassword"}),
    title=("name",),
)
