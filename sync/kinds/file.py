"""Files: what became of each URL that documents refer to (design 7).

Tracked like a kind, but not listed by the remote: the documents are ours, and the current ones
are those that a current document of the same source refers to.
"""

from sync.field import INTEGER, TEXT
from sync.kind import Kind, Scope

FILE = Kind(
    name="file",
    about="the files that documents refer to",
    scope=Scope.ACCOUNT,
    key="key",
    assigned={"status": TEXT, "sha256": TEXT, "size_bytes": INTEGER},
    volatile={"url": TEXT, "mime_type": TEXT, "etag": TEXT},
    not_restorable="comes back with the object that refers to it",
)
