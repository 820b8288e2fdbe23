"""Contents: each in a folder of its own, as JSON and as a page, with its files beside it."""

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sync.batches import batches
from sync.document import Document, map_texts, storable
from sync.export import parts
from sync.export.choice import View
from sync.export.desk import LONGEST_FILE, PORTION, Desk
from sync.export.files import File, Files, Placed, extension_of
from sync.export.markdown import Exhibit, entry, page
from sync.export.safe_name import Names, safe_name
from sync.kind import Kind, children, is_usable_key, parent_of
from sync.kinds.memory import MEMORY
from sync.kinds.person import PERSON
from sync.link import FileRef, move_assets
from sync.refs import mentioned_files

CONTENTS = "contents"
JSON, PAGE = "content.json", "content.md"
_LONGEST_FOLDER = 64
_BINARY = ("image/", "audio/", "video/", "model/")
_DATA_URL = re.compile(r"data:[^,]*;base64,")


@dataclass(frozen=True)
class _Content:
    """One content with all that belongs to it."""

    number: int
    key: str
    document: Document
    children: Mapping[Kind, Sequence[Document]]
    attached: Sequence[FileRef]
    person: str

    @property
    def title(self) -> str:
        """What it is called."""
        return MEMORY.name_of(self.document) or str(self.document.get("memoryType") or self.key)

    def with_children(self, shown: Callable[[Kind, Document], Document]) -> Document:
        """As the remote shows it: with its children inside."""
        lists = {
            parent_of(kind).field: [shown(kind, each) for each in documents]
            for kind, documents in self.children.items()
        }
        return {**shown(MEMORY, self.document), **lists}

    def refs(self) -> Iterator[FileRef]:
        """The files that it may refer to."""
        yield from mentioned_files(MEMORY, self.document)
        for kind, documents in self.children.items():
            for document in documents:
                yield from mentioned_files(kind, document)
        yield from self.attached


def write_contents(desk: Desk, view: View, files: Files, folder: str, attached: str) -> int:
    """Write all contents of an agent, the first taught first; returns how many there are.

    Args:
        desk: to work at.
        view: of the agent.
        files: of the agent.
        folder: of the agent in the export.
        attached: part of the index with the files that say which content they belong to.
    """
    order, titles = parts.contents_by_age(view), parts.titles(view)
    for some in batches(desk.state(view, MEMORY), PORTION):
        stamped = (
            (storable(str((document or {}).get("creationTimestamp") or "")), 0, key)
            for key, document in some
        )
        desk.index.put(order, stamped)
        desk.index.put(parts.contents(view), ((key, 0, None) for key, _ in some))
    kinds = children(MEMORY, desk.kinds)
    for kind in kinds:
        desk.index.put(parts.children(view, kind), _places(desk, view, kind))
    total = desk.index.count(order)
    digits = max(4, len(str(total)))
    number = 0
    for portion in batches(desk.index.walk(order), PORTION):
        keys = [key for _, key in portion]
        contents = list(_contents(desk, view, kinds, keys, attached, number))
        known = files.look_up(ref for each in contents for ref in each.refs())
        for content in contents:
            number = content.number
            name = safe_name(content.title, _LONGEST_FOLDER)
            path = f"{CONTENTS}/{number:0{digits}d} {name}/"
            _write(desk, content, files, known, folder + path)
            desk.index.put(titles, [(f"{number:019d}", 0, [content.title, path])])
            desk.watch(view.source.name, CONTENTS, number, total)
    lines = (entry(title, path + PAGE).encode() for _, (title, path) in desk.index.walk(titles))
    desk.output.put(f"{folder}{CONTENTS}.md", _headed(lines))
    return number


def _headed(lines: Iterable[bytes]) -> Iterator[bytes]:
    yield b"# Contents\n\n"
    yield from lines


def _places(desk: Desk, view: View, kind: Kind) -> Iterator[tuple[str, int, str]]:
    """To which content each child belongs, and at which place."""
    parent = parent_of(kind)
    for portion in batches(desk.state(view, kind), PORTION):
        sound = {
            key: (storable(str(document.get(parent.key))), document.get(parent.position))
            for key, document in portion
            if document is not None
        }
        known = desk.index.find(parts.contents(view), {content for content, _ in sound.values()})
        for key, (content, position) in sound.items():
            if content in known:
                yield content, position if isinstance(position, int) else 0, key
            else:
                desk.note_damage(view, kind, key, f"the content {content} is not there")


def _contents(
    desk: Desk, view: View, kinds: Sequence[Kind], keys: Sequence[str], attached: str, before: int
) -> Iterator[_Content]:
    """Some contents, with all that belongs to them."""
    past, source = desk.mirror.past, view.source
    documents = past.proven(source, MEMORY, keys, view.at(MEMORY))
    there: dict[Kind, dict[str, list[Document]]] = {}
    for kind in kinds:
        places = desk.index.find(parts.children(view, kind), keys)
        found = dict(desk.by_keys(view, kind, (key for each in places.values() for key in each)))
        there[kind] = {
            parent: [found[key] for key in each if key in found] for parent, each in places.items()
        }
    files = desk.index.find(attached, keys)
    receivers = {_text(each.get("receiverID")) for each in documents.values() if each}
    people = past.proven(source, PERSON, filter(is_usable_key, receivers), view.at(PERSON))
    for number, key in enumerate(keys, start=before + 1):
        # Of what cannot be read any more, what belongs to it is there all the same.
        document = documents.get(key) or {MEMORY.key: key}
        person = people.get(_text(document.get("receiverID"))) or {}
        yield _Content(
            number,
            key,
            document,
            {kind: each.get(key, []) for kind, each in there.items()},
            [FileRef(*each) for each in files.get(key, [])],
            PERSON.name_of(person) or _text(document.get("receiverID")),
        )


def _write(
    desk: Desk, content: _Content, files: Files, known: Mapping[str, File], folder: str
) -> None:
    names = Names((JSON, PAGE), LONGEST_FILE)
    placed: dict[str, Placed] = {}

    def show(ref: FileRef, title: str, hint: str) -> Exhibit:
        file = known[ref.key]
        if ref.key not in placed:
            placed[ref.key] = files.put(folder, names, file, hint)
        result = placed[ref.key]
        return Exhibit(
            title=title or result.name or file.name(hint),
            file=result.name,
            mime_type=file.mime_type,
            lack=result.lack,
        )

    media: list[Exhibit] = []
    for kind, documents in content.children.items():
        for document in documents:
            title = _text(document.get("title"))
            own = [each for each in _own_refs(kind, document) if each.key in known]
            media += [show(ref, title, title) for ref in own]
            if not own:
                media.append(_without_file(desk, document, title, folder, names))
    for ref in sorted(content.refs(), key=lambda each: each.key):
        if ref.key in known and ref.key not in placed:
            media.append(show(ref, "", ""))
    desk.write_json(folder + JSON, content.with_children(desk.shown))
    beside = {key: quote(each.name) for key, each in placed.items() if each.name}
    # What the page shows shall be there when the remote is not.
    document = map_texts(content.document, lambda text: move_assets(text, beside, keeps_size=False))
    pieces = page(content.title, content.key, document, content.person, media)
    desk.output.put(folder + PAGE, (each.encode() for each in pieces))


def _without_file(desk: Desk, document: Document, title: str, folder: str, names: Names) -> Exhibit:
    """A medium that is a link or a text; what is inside it as base64 becomes a file."""
    mime_type = _text(document.get("mimeType")).lower()
    text = _text(document.get("content"))
    if data := _decoded(text, mime_type):
        name = names.take((title or "file") + extension_of(mime_type))
        desk.output.put(folder + name, [data], len(data))
        return Exhibit(title or name, name, mime_type)
    return Exhibit(title, mime_type=mime_type, url=_text(document.get("url")), text=text)


def _decoded(text: str, mime_type: str) -> bytes:
    """The bytes of a picture, sound or the like that stands inside its document, or none."""
    if not text or not mime_type.startswith(_BINARY):
        return b""
    try:
        return base64.b64decode("".join(_DATA_URL.sub("", text, 1).split()), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _own_refs(kind: Kind, document: Document) -> list[FileRef]:
    """What the document is a file of, not what its texts mention."""
    names = (*kind.files, "mimeType")
    return list(mentioned_files(kind, {name: document.get(name) for name in names}))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
