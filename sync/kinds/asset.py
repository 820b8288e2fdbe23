"""Assets: the files an account has uploaded, over all its Memoris (aisuru-api.md 9).

An asset is addressed by its file name, the last segment of `assetURL`, not by `assetID`.
"""

from sync.document import Document
from sync.field import TEXT
from sync.kind import Clearing, Kind, Ref, Route, Scope


def _file_name(document: Document) -> Document:
    return {"fileName": str(document.get("assetURL") or "").rstrip("/").rpartition("/")[2]}


ASSET = Kind(
    name="asset",
    about="uploaded files",
    scope=Scope.ACCOUNT,
    key="assetID",
    address=_file_name,
    list=Route("GET", "/api/v2/Assets/{token}", "assets"),
    get=Route("GET", "/api/v2/AssetDetails/{token}/{fileName}", "asset"),
    create=Route(
        "POST",
        "/api/v2/Asset/{token}/{memoriID}/{engineMemoryID}",
        "asset",
        optional=frozenset({"memoriID", "engineMemoryID"}),
    ),
    update=Route("PATCH", "/api/v2/Asset/{token}/{fileName}", "asset"),
    delete=Route("DELETE", "/api/v2/Asset/{token}/{fileName}"),
    writable={"originalFileName": TEXT, "engineMemoryID": TEXT},
    create_only={"memoriID": TEXT},
    assigned={"assetURL": TEXT, "mimeType": TEXT},
    volatile={"creationTimestamp": TEXT, "lastChangeTimestamp": TEXT},
    refs=(Ref("memoriID", "memori"), Ref("engineMemoryID", "memory")),
    files=("assetURL",),
    clearing={"engineMemoryID": Clearing("-")},
    title=("originalFileName",),
)
