"""Files under the names that people gave them."""

import mimetypes
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sync.document import Document, storable
from sync.errors import StorageError
from sync.export import parts
from sync.export.choice import View
from sync.export.output import Output
from sync.export.safe_name import Names
from sync.fetch import FAILED, LEFT_OUT, MISSING
from sync.files import FileStore, is_name
from sync.kinds.file import FILE
from sync.link import FileRef, without_query
from sync.mirror.index import Index
from sync.mirror.mirror import Mirror

_TYPES = mimetypes.MimeTypes()
"""As the standard library knows them: a machine's own list would make names differ."""
_TYPES.add_type("model/gltf-binary", ".glb")
_TYPES.add_type("text/markdown", ".md")
_TYPES.add_type("image/webp", ".webp")
_WHY = {
    MISSING: "it was not there on the remote",
    FAILED: "it could not be fetched",
    LEFT_OUT: "the settings left it out",
    "": "it was never fetched",
}


@dataclass(frozen=True)
class Lack:
    """Something that is not in an export, or not as it was.

    Attributes:
        key: of the file or object.
        name: what it is called.
        is_damage: it was stored once.
    """

    source: str
    key: str
    name: str
    reason: str
    is_damage: bool


@dataclass(frozen=True)
class File:
    """What is known of a file.

    Attributes:
        document: of kind `file`, {} if nothing is.
        called: what the account calls it, or "".
        is_damaged: what was known of it cannot be read any more.
    """

    ref: FileRef
    document: Mapping[str, Any]
    called: str
    is_damaged: bool

    @property
    def mime_type(self) -> str:
        """Of the bytes, as the remote said; "" if it said none."""
        return str(self.document.get("mime_type") or "").partition(";")[0].strip().lower()

    def name(self, hint: str = "") -> str:
        """What to call it, with an extension; no safe name yet.

        Args:
            hint: what it is called where it is shown.
        """
        found = self.ref.file_name
        extension = found[found.rindex(".") :] if "." in found.strip(".") else ""
        extension = extension or extension_of(self.mime_type)
        called = self.called or hint or found
        kinds = {_TYPES.guess_type(each, strict=False)[0] for each in (called, f"a{extension}")}
        has_one = called.lower().endswith(extension.lower()) or (
            "." in called and len(kinds) == 1 and None not in kinds
        )
        return called if has_one else called + extension


@dataclass(frozen=True)
class Placed:
    """What became of a file: its name in its folder, or why it is not there."""

    name: str
    lack: str = ""


class Files:
    """The files that documents of a source refer to.

    Args:
        mirror: that knows of them.
        store: that has them.
        output: where they go.
        index: where is noted what became of them.
        views: where they were seen, the one that counts first.
        called: part of the index that tells what the account calls them.

    Attributes:
        source: whose files they are.
        lacks: {key: file that could not be written}.
        placed: part of the index that tells which file is where.
    """

    def __init__(
        self,
        mirror: Mirror,
        store: FileStore,
        output: Output,
        index: Index,
        views: Sequence[View],
        called: str,
    ) -> None:
        self.lacks: dict[str, Lack] = {}
        self._mirror = mirror
        self._store = store
        self._output = output
        self._index = index
        self._views = views
        self._called = called
        self.source = views[0].source
        self.placed = parts.placed(views[0])

    def look_up(self, refs: Iterable[FileRef]) -> dict[str, File]:
        """{key: file} of those that are files of ours; others are somebody else's links."""
        wanted = {ref.key: ref for ref in refs}
        documents: dict[str, Document] = {}
        damaged: set[str] = set()
        for view in self._views:
            open_keys = [key for key in wanted if not _has_bytes(documents.get(key))]
            seen = self._mirror.past.proven(view.source, FILE, open_keys, view.at(FILE))
            damaged |= {key for key, document in seen.items() if document is None}
            for key, document in seen.items():
                if document is not None and (key not in documents or _has_bytes(document)):
                    documents[key] = document
        open_keys = [key for key in wanted if not _has_bytes(documents.get(key))]
        documents |= self._mirror.stored_files(open_keys)
        called = self._index.find(self._called, wanted)
        return {
            key: File(ref, documents.get(key, {}), called.get(key, [""])[0], key in damaged)
            for key, ref in wanted.items()
            if ref.is_on_backend or key in documents or key in damaged
        }

    def put(self, folder: str, names: Names, file: File, hint: str = "") -> Placed:
        """Write a file into a folder of the export.

        Args:
            folder: path in the export, "" or with a slash at its end.
            names: of the folder.
            file: which one.
            hint: what it is called where it is shown.
        """
        sha256 = file.document.get("sha256")
        if not isinstance(sha256, str):
            if file.is_damaged:
                return self._lacking(file, hint, "what is stored of it cannot be read", damage=True)
            why = _WHY.get(str(file.document.get("status") or ""), _WHY[FAILED])
            return self._lacking(file, hint, why, damage=False)
        size_bytes = file.document.get("size_bytes")
        known = size_bytes if isinstance(size_bytes, int) else None
        # Read before it is written: what stands in a ZIP cannot be taken back.
        problem = "has no such name" if not is_name(sha256) else ""
        problem = problem or self._store.problem(sha256, known, is_read=True)
        if problem:
            return self._lacking(file, hint, f"what is stored {problem}", damage=True)
        name = names.take(file.name(hint))
        path = folder + name
        if self._output.put(path, self._store.read(sha256), known) != sha256:
            raise StorageError(
                f"{self._store.path(sha256)} gives other bytes each time it is read",
                "look at the disk, then: aisuru-sync check --read-data",
            )
        entry = {"key": file.ref.key, "path": path, "sha256": sha256, "size_bytes": size_bytes}
        about = {
            "url": file.ref.url or file.document.get("url"),
            "mime_type": file.document.get("mime_type"),
        }
        self._index.put(self.placed, [(file.ref.key, 0, entry | about)])
        return Placed(name)

    def settled(self, keys: Iterable[str]) -> set[str]:
        """Those of some keys whose file is written, or told to be lacking."""
        keys = list(keys)
        told = {key for key in keys if key in self.lacks}
        return told | self._index.find(self.placed, keys).keys()

    def all_placed(self) -> Iterator[Document]:
        """Which file is where, by key."""
        return (entry for _, entry in self._index.walk(self.placed))

    def _lacking(self, file: File, hint: str, reason: str, *, damage: bool) -> Placed:
        key = without_query(file.ref.key)
        name = storable(file.name(hint))
        lack = Lack(self.source.name, key, name, reason, damage)
        self.lacks.setdefault(file.ref.key, lack)
        return Placed("", reason)


def extension_of(mime_type: str) -> str:
    """What the names of such files end in, with its dot; "" if that is not known."""
    return _TYPES.guess_extension(mime_type) or ""


def _has_bytes(document: Mapping[str, Any] | None) -> bool:
    return document is not None and isinstance(document.get("sha256"), str)
