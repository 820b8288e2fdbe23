"""Media: files, links and snippets attached to a memory (aisuru-api.md 8.4).

They come embedded in their memory; only where that holds no list are they asked for by
themselves. A reorder is not a change, but the order is kept for a restore.
"""

from sync.field import INTEGER, JSON, TEXT
from sync.kind import AUDIT, Kind, Parent, Ref, Route, Scope

MEDIUM = Kind(
    name="medium",
    about="files, links and snippets of a memory",
    scope=Scope.MEMORI,
    key="mediumID",
    parent=Parent(kind="memory", field="media", key="memoryID", position="position"),
    list=Route("GET", "/memori/v2/Media/{session}/{memoryID}", "media"),
    get=Route("GET", "/memori/v2/Medium/{session}/{memoryID}/{mediumID}", "medium"),
    create=Route("POST", "/memori/v2/Medium/{session}/{memoryID}", "mediumID"),
    update=Route("PATCH", "/memori/v2/Medium/{session}/{memoryID}/{mediumID}"),
    delete=Route("DELETE", "/memori/v2/Medium/{session}/{memoryID}/{mediumID}"),
    writable={"url": TEXT, "content": TEXT, "mimeType": TEXT, "title": TEXT, "properties": JSON},
    assigned={"memoryID": TEXT},
    volatile={**AUDIT, "position": INTEGER},
    refs=(Ref("memoryID", "memory"),),
    files=("url",),
    either=("url", "content"),
    title=("title", "url"),
)
