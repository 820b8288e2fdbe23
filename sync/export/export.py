"""The export of a mirror: agent by agent, then what belongs to the account alone.

It needs neither the remote nor the lock. A state at a snapshot does not change while backups go on.
"""

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sync.batches import batches
from sync.document import Document, storable
from sync.export import parts
from sync.export.choice import Choice, Chosen, View, check_still_there, is_owned
from sync.export.contents import write_contents
from sync.export.desk import PORTION, Desk, file_of
from sync.export.files import Files, Lack
from sync.export.output import SUMS, output
from sync.export.readme import README, Told, readme
from sync.export.safe_name import Names
from sync.export.sheet import json_array
from sync.files import FileStore
from sync.kind import Kind, Scope, children
from sync.kinds.memory import MEMORY
from sync.kinds.person import PERSON
from sync.mirror.index import Index
from sync.mirror.mirror import Mirror
from sync.refs import is_settings, mentioned_files
from sync.watch import Watch

_ACCOUNT = "account"
_LONGEST_FOLDER = 40


@dataclass(frozen=True)
class Exported:
    """What an export came to.

    Attributes:
        sources: what was chosen, each with what was written of it.
        files: how many there are in it.
        lacks: what is not in it, or not as it was.
    """

    sources: list[tuple[Chosen, Told]]
    files: int
    size_bytes: int
    lacks: list[Lack]


def export(
    mirror: Mirror,
    store: FileStore,
    kinds: Mapping[str, Kind],
    choice: Choice,
    path: Path,
    *,
    shows_pins: bool = False,
    watch: Watch = lambda *_: None,
) -> Exported:
    """Write what was chosen to a folder or a ZIP that is not there yet.

    Args:
        mirror: to read.
        store: of its files.
        kinds: the registry.
        choice: what of it.
        path: of the folder; of a ZIP if it ends in `.zip`.
        shows_pins: masked fields are written as they are.
        watch: told of progress.

    Raises:
        UsageError: there is something already.
        StorageError: the disk is full or broken, or what is read was forgotten meanwhile; nothing
            is left at the path.
    """
    sources: list[tuple[Chosen, Told]] = []
    lacks: list[Lack] = []
    with output(path) as out, Index() as index:
        desk = Desk(mirror, store, kinds, out, index, watch, shows_pins)
        names = Names((README, SUMS, _ACCOUNT), _LONGEST_FOLDER)
        for chosen in choice.agents:
            _survey(desk, chosen.account)
            folder = names.take(chosen.snapshot.source.name)
            views = (chosen.view, chosen.account)
            files = Files(mirror, store, out, index, views, parts.names(chosen.account))
            sources.append(
                (chosen, _told(chosen, folder, _write_agent(desk, chosen, files, folder)))
            )
            lacks += files.lacks.values()
        if (own := choice.account) is not None:
            _survey(desk, own.account)
            files = Files(mirror, store, out, index, (own.view,), parts.names(own.account))
            sources.append(
                (own, _told(own, _ACCOUNT, _write_account(desk, own, files, choice.never)))
            )
            lacks += files.lacks.values()
        lacks = [*desk.lacks.values(), *lacks]
        text = readme(
            [told for _, told in sources],
            lacks,
            choice.left_out,
            list(choice.never.values()),
            has_account=choice.account is not None,
            shows_pins=shows_pins,
        )
        out.put(README, (each.encode() for each in text))
        check_still_there(mirror, choice)
    return Exported(sources, out.files, out.size_bytes, lacks)


def _told(chosen: Chosen, folder: str, counts: Mapping[str, int]) -> Told:
    snapshot = chosen.snapshot
    # In the words of the other commands, and in the order of the registry.
    return Told(snapshot.source.name, folder, snapshot.id, snapshot.started_at, counts, chosen.ages)


def _write_agent(desk: Desk, chosen: Chosen, files: Files, name: str) -> dict[str, int]:
    """Write all that is an agent's own; {kind: how many objects}."""
    view, folder, rest = chosen.view, f"{name}/", parts.loose_files(chosen.view)
    embedded = children(MEMORY, desk.kinds)
    counts: dict[str, int] = {}
    if MEMORY in desk.kinds.values():
        counts[MEMORY.name] = write_contents(
            desk, view, files, folder, parts.attached(chosen.account)
        )
    counts |= {kind.name: desk.index.count(parts.children(view, kind)) for kind in embedded}
    for kind in desk.kinds.values():
        if kind.scope is Scope.MEMORI and kind is not MEMORY and kind not in embedded:
            if kind.name not in chosen.ages:
                continue
            path = f"{folder}{file_of(kind)}.json"
            counts[kind.name] = desk.write_list(path, kind, _sound(desk, view, kind), rest)
            if kind is PERSON:
                table = f"{folder}{file_of(kind)}.csv"
                desk.write_table(table, kind, _sound(desk, view, kind))
        elif kind.scope is Scope.ACCOUNT and is_owned(kind):
            counts[kind.name] = _write_owned(desk, chosen, kind, folder, rest)
    desk.write_files(f"{folder}files/", files, rest)
    desk.output.put(f"{folder}files.json", json_array(files.all_placed()))
    return {each: counts[each] for each in desk.kinds if each in counts}


def _write_owned(desk: Desk, chosen: Chosen, kind: Kind, folder: str, rest: str) -> int:
    """Write the objects of the account that belong to an agent, or are its settings."""
    owner = chosen.view.source.remote_id
    if is_settings(kind):
        found = list(desk.by_keys(chosen.account, kind, [owner]))
        for _, document in found:
            desk.note_files(rest, kind, document)
            desk.index.put(parts.written(kind), [(owner, 0, None)])
            desk.write_json(f"{folder}settings.json", desk.shown(kind, document))
        return len(found)

    def owned() -> Iterator[Document]:
        keys = (key for _, key in desk.index.walk(parts.owned(chosen.account, kind, owner)))
        for key, document in desk.by_keys(chosen.account, kind, keys):
            desk.index.put(parts.written(kind), [(key, 0, None)])
            yield document

    return desk.write_list(f"{folder}{file_of(kind)}.json", kind, owned(), rest)


def _write_account(
    desk: Desk, chosen: Chosen, files: Files, never: Container[str]
) -> dict[str, int]:
    """Write what belongs to the account alone; {kind: how many objects}."""
    folder, rest = f"{_ACCOUNT}/", parts.loose_files(chosen.view)
    counts: dict[str, int] = {}
    for kind in desk.kinds.values():
        if kind.scope is Scope.ACCOUNT:
            documents = _others(desk, chosen.view, kind, rest, never)
            path = f"{folder}{file_of(kind)}.json"
            counts[kind.name] = desk.write_list(path, kind, documents)
    desk.write_files(f"{folder}files/", files, rest)
    desk.output.put(f"{folder}files.json", json_array(files.all_placed()))
    return counts


def _sound(desk: Desk, view: View, kind: Kind) -> Iterator[Document]:
    """All objects of a kind that are as they were seen."""
    return (document for _, document in desk.state(view, kind) if document is not None)


def _others(
    desk: Desk, view: View, kind: Kind, rest: str, never: Container[str]
) -> Iterator[Document]:
    """The objects of the account that stand in no agent's folder, and the settings of all agents.

    Their files are noted in a part of the index, if they lie in no agent's folder, and are not
    those of an agent that was never backed up: nobody ever meant to fetch them.
    """
    for portion in batches(desk.state(view, kind), PORTION):
        written = desk.index.find(parts.written(kind), (key for key, _ in portion))
        for key, document in portion:
            if document is not None and key not in written:
                if document.get("memoriID") not in never:
                    desk.note_files(rest, kind, document)
                yield document
            elif document is not None and is_settings(kind):
                yield document


def _survey(desk: Desk, account: View) -> None:
    """Note, once, what the account's own objects say of files, contents and agents."""
    done = parts.surveyed(account)
    if desk.index.count(done):
        return
    desk.index.put(done, [("", 0, None)])
    for kind in desk.kinds.values():
        if kind.scope is not Scope.ACCOUNT or not is_owned(kind) or is_settings(kind):
            continue
        places = [each.path for each in kind.refs if each.kind == MEMORY.name]
        for key, document in desk.state(account, kind):
            if document is None:
                continue
            own = mentioned_files(kind, {name: document.get(name) for name in kind.files})
            name = kind.name_of(document)
            called = ((ref.key, 0, name) for ref in own)
            desk.index.put(parts.names(account), called)
            owner = document.get("memoriID")
            if not isinstance(owner, str):
                continue
            desk.index.put(parts.owned(account, kind, storable(owner)), [(key, 0, key)])
            contents = (document.get(each) for each in places)
            found = (
                (storable(content), 0, [ref.key, ref.url])
                for content in contents
                if isinstance(content, str)
                for ref in own
            )
            desk.index.put(parts.attached(account), found)
