"""Badges: what the user was awarded; they can only be read (aisuru-api.md 10)."""

from sync.field import JSON, TEXT
from sync.kind import Kind, Route, Scope

BADGE = Kind(
    name="badge",
    about="awards of the account's user",
    scope=Scope.ACCOUNT,
    key="badgeID",
    list=Route("GET", "/api/v2/Badges/{token}", "badges"),
    get=Route("GET", "/api/v2/Badge/{token}/{badgeID}", "badge"),
    assigned={
        "date": TEXT,
        "name": TEXT,
        "description": TEXT,
        "imageURL": TEXT,
        "tags": JSON,
        "issuerName": TEXT,
        "issuerDescription": TEXT,
        "issuerEmail": TEXT,
        "issuerURL": TEXT,
    },
    files=("imageURL",),
    not_restorable="badges are awarded by the remote",
)
