"""What objects refer to: others by key, and files by URL. Pure."""

from collections.abc import Iterator, Mapping

from sync.document import Document
from sync.kind import Ident, Kind
from sync.link import ANYWHERE, FileRef, file_refs

Objects = Mapping[Ident, Document]
"""A state: every object by kind and key."""


def is_file(kind: Kind) -> bool:
    """Are the objects of this kind files themselves, made by uploading?"""
    return any(name in kind.assigned for name in kind.files) and kind.create is not None


def is_settings(kind: Kind) -> bool:
    """Are its objects the agents themselves?"""
    return kind.key == "memoriID"


def files_of(kind: Kind, document: Document) -> set[FileRef]:
    """The files that an object is, or names in its own fields; not those inside its texts."""
    return file_refs({name: document.get(name) for name in kind.files}, kind.files, ())


def mentioned_files(kind: Kind, document: Document) -> set[FileRef]:
    """All files that a document may refer to, in its texts, too, wherever they are."""
    return file_refs(document, kind.files, ANYWHERE)


def by_file(objects: Objects, kinds: Mapping[str, Kind]) -> dict[str, Ident]:
    """{key of a file: the object that is this file}."""
    return {
        ref.key: ident
        for ident, document in objects.items()
        if is_file(kinds[ident[0]])
        for ref in files_of(kinds[ident[0]], document)
    }


def refs_of(kind: Kind, document: Document, files: Mapping[str, Ident]) -> Iterator[Ident]:
    """The objects that a document refers to, by key or by the URL of their file."""
    yield from kind.references(document)
    if files:
        for ref in file_refs(document, kind.files, ()):
            if ref.key in files:
                yield files[ref.key]
