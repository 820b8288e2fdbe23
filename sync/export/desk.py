"""What all parts of an export share: where they read, where they write, and what was lacking."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from sync.batches import batches
from sync.document import Document
from sync.export.choice import View
from sync.export.files import Files, Lack
from sync.export.output import Output
from sync.export.safe_name import Names
from sync.export.sheet import csv_table, json_array, json_object
from sync.files import FileStore
from sync.history import masked
from sync.kind import Kind
from sync.link import FileRef
from sync.mirror.index import Index
from sync.mirror.mirror import Mirror
from sync.refs import mentioned_files
from sync.watch import Watch

PORTION = 100
"""How many documents are held at a time, with all that belongs to them."""
LONGEST_FILE = 80
"""Bytes of a file's name: with its folders it still fits where paths end at 260 characters."""

_CALLED = {
    "memori": "agents",
    "asset": "assets",
    "badge": "badges",
    "person": "people",
    "localization_key": "localization_keys",
}


@dataclass(frozen=True)
class Desk:
    """What an export works with.

    Attributes:
        shows_pins: masked fields are written as they are.
        lacks: {(source id, kind, key): object that is not as it was seen}.
    """

    mirror: Mirror
    store: FileStore
    kinds: Mapping[str, Kind]
    output: Output
    index: Index
    watch: Watch
    shows_pins: bool
    lacks: dict[tuple[int, str, str], Lack] = field(default_factory=dict)

    def state(self, view: View, kind: Kind) -> Iterator[tuple[str, Document | None]]:
        """All objects of a kind by key, None for those that are not as they were seen."""
        found = self.mirror.past.proven_state(view.source, kind, view.at(kind))
        for number, (key, document) in enumerate(found, start=1):
            self.watch(view.source.name, file_of(kind), number, None)
            if document is None:
                self.note_damage(view, kind, key)
            yield key, document

    def by_keys(
        self, view: View, kind: Kind, keys: Iterable[str]
    ) -> Iterator[tuple[str, Document]]:
        """Some objects of a kind that are as they were seen, in the order of their keys."""
        for portion in batches(keys, PORTION):
            found = self.mirror.past.proven(view.source, kind, portion, view.at(kind))
            for key in portion:
                if (document := found.get(key)) is not None:
                    yield key, document
                elif key in found:
                    self.note_damage(view, kind, key)

    def shown(self, kind: Kind, document: Document) -> Document:
        """A document as the export shows it."""
        return document if self.shows_pins else masked(kind, document)

    def write_json(self, path: str, document: Document) -> None:
        """Write one document."""
        data = json_object(document)
        self.output.put(path, [data], len(data))

    def write_list(
        self, path: str, kind: Kind, documents: Iterable[Document], rest: str = ""
    ) -> int:
        """Write documents of a kind as a list; returns how many.

        Args:
            path: of the file.
            kind: of the documents.
            documents: as the mirror has them.
            rest: part of the index where the files are noted that they refer to.
        """
        number = 0

        def passing() -> Iterator[Document]:
            nonlocal number
            for document in documents:
                number += 1
                if rest:
                    self.note_files(rest, kind, document)
                yield self.shown(kind, document)

        self.output.put(path, json_array(passing()))
        return number

    def write_table(self, path: str, kind: Kind, documents: Iterable[Document]) -> None:
        """Write documents of a kind as a table: fields that have no parts, the key last."""
        stamps = ("creationTimestamp", "lastChangeTimestamp")
        fields = (*kind.writable, *kind.create_only, *stamps, kind.key)
        shown = (self.shown(kind, document) for document in documents)
        rows = ([document.get(each) for each in fields] for document in shown)
        self.output.put(path, csv_table(fields, rows))

    def note_files(self, part: str, kind: Kind, document: Document) -> None:
        """Note in a part of the index which files a document refers to."""
        refs = mentioned_files(kind, document)
        self.index.put(part, ((ref.key, 0, ref.url) for ref in refs))

    def write_files(self, folder: str, files: Files, part: str) -> None:
        """Write the files noted in a part of the index that are not written yet."""
        names = Names(longest_bytes=LONGEST_FILE)
        number, total = 0, self.index.count(part)
        for portion in batches(self.index.walk(part), PORTION):
            number += len(portion)
            self.watch(files.source.name, "files", number, total)
            settled = files.settled(key for key, _ in portion)
            refs = (FileRef(key, url) for key, url in portion if key not in settled)
            for file in files.look_up(refs).values():
                files.put(folder, names, file)

    def note_damage(
        self,
        view: View,
        kind: Kind,
        key: str,
        reason: str = "what is stored of it is not what was seen",
    ) -> None:
        """Note that an object is not in the export, or not as it was."""
        lack = Lack(
            source=view.source.name,
            key=key,
            name=f"{kind.name} {key}",
            reason=reason,
            is_damage=True,
        )
        self.lacks[view.source.id, kind.name, key] = lack


def file_of(kind: Kind) -> str:
    """What the file of a kind is called, without its extension."""
    return _CALLED.get(kind.name, kind.name)
