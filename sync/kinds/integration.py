"""Integrations: the pages and channels on which an agent is shown (aisuru-api.md 4 and 11).

They come embedded in the settings of their agent; only where those hold no list are they asked
for by themselves. Their results, jobs and addresses may hold secrets or other people's data, so
only the fields named here are kept. `customData` is JSON as text and may hold the URLs of files.
Of an update nothing is known but that fields it lacks stay as they are: whether the other ones
would publish anything no source says, so only `customData` is sent. Nor does one say how the remote
answers for an integration that is gone, so that is proven by its list alone.
"""

from sync.field import BOOLEAN, INTEGER, JSON, TEXT
from sync.kind import Kind, Parent, Ref, Route, Scope

INTEGRATION = Kind(
    name="integration",
    about="pages and channels of an agent",
    scope=Scope.ACCOUNT,
    key="integrationID",
    allow_list=True,
    parent=Parent(kind="memori", field="integrations", key="memoriID", position="position"),
    list=Route("GET", "/api/v2/Integrations/{token}/{memoriID}", "integrations"),
    update=Route("PATCH", "/api/v2/Integration/{token}/{integrationID}", "integration"),
    writable={"customData": TEXT},
    assigned={
        "memoriID": TEXT,
        "type": TEXT,
        "state": TEXT,
        "publish": BOOLEAN,
        "invocationText": TEXT,
        "resources": JSON,
    },
    volatile={"creationTimestamp": TEXT, "lastChangeTimestamp": TEXT, "position": INTEGER},
    refs=(Ref("memoriID", "memori"),),
    title=("invocationText", "type"),
    not_restorable="pages and channels are published on the site",
)
