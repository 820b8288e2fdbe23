"""Chat users: who has talked with the agent (aisuru-api.md 11). Personal data."""

from sync.field import BOOLEAN, TEXT
from sync.kind import AUDIT, Kind, Route, Scope

CHAT_USER = Kind(
    name="chat_user",
    about="people who talked with the agent",
    scope=Scope.MEMORI,
    key="userID",
    is_personal=True,
    list=Route("GET", "/memori/v2/Users/{session}/{from}/{howMany}", "users"),
    get=Route("GET", "/memori/v2/User/{session}/{userID}", "user"),
    assigned={
        "externalUserID": TEXT,
        "userName": TEXT,
        "tenantName": TEXT,
        "email": TEXT,
        "disableDeepThought": BOOLEAN,
    },
    volatile=AUDIT,
    title=("userName", "email"),
    not_restorable="who talked with the agent is written by the remote",
)
