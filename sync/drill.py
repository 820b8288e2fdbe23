"""A drill: the whole restore, rehearsed in the sandbox on what is live now, and if all were lost.

The target is listed anew, as for a look at the plan; from then on nothing leaves this machine. A
sandbox is loaded with what was listed, with credentials of its own, and the very same restore runs
there, out of a copy of the mirror. Where things come back into the agent that they were of, it then
loses there all that a restore can make, and is restored once more: else a drill of an agent that is
whole would prove nothing. Files are read where they lie; what is written goes into a
temporary folder that does not outlive the drill.
"""

import hashlib
import secrets
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shutil import rmtree
from typing import IO

import msgspec
import structlog

from sync.api.account import Credentials
from sync.app import App
from sync.config import AccountConfig, Config, MemoriConfig, StorageConfig
from sync.document import Document
from sync.errors import StorageError, SyncError, worst
from sync.fetch import STORED
from sync.files import FileStore
from sync.kind import Kind, Parent, Scope, children, parent_of
from sync.kinds.file import FILE
from sync.mirror.excerpt import copy_excerpt
from sync.mirror.mirror import Mirror
from sync.mirror.values import Snapshot, Source
from sync.plan import Plan
from sync.refs import Objects, files_of, is_file
from sync.restore import Restore, RestoreResult, prepare
from sync.restore_point import taken_from
from sync.sandbox import Account, Agent, Asset, Sandbox, World
from sync.sandbox.filetypes import mime_type
from sync.selection import Selection, owner_of
from sync.stop import Stop
from sync.target import Hands
from sync.watch import Watch

_USER = "drill"
_CHUNK_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Rehearsal:
    """A restore in the sandbox, and how it went."""

    restore: Restore
    result: RestoreResult


@dataclass(frozen=True)
class Drilled:
    """How a drill went.

    Attributes:
        now: what a restore in earnest would do, on what is live.
        all_lost: the same if all were lost that a restore can make; None of a copy.
    """

    now: Rehearsal
    all_lost: Rehearsal | None

    @property
    def exit_code(self) -> int:
        """0 if all that could come back did, both times."""
        both = filter(None, (self.now, self.all_lost))
        return worst([each.result.exit_code for each in both])


def drill(app: App, snapshot: Snapshot, into: str, selection: Selection, watch: Watch) -> Drilled:
    """Rehearse a restore; tells what it would do, and how it would go.

    Args:
        app: of the account.
        snapshot: what things would come back from.
        into: the Memori that they would come back into, by name or id.
        selection: what of it.
        watch: told of progress.

    Raises:
        SyncError: the sandbox does not show what the remote shows: a bug, and no verdict.
        as `prepare` and `Restore.replay`.
    """
    with ExitStack() as held:
        with app.restoring("a drill", into) as hands:
            before = prepare(hands, snapshot, selection, watch)
            folder = held.enter_context(_folder(hands.mirror.stop))
            store = _Beside(folder / "files", app.store)
            own = secrets.token_urlsafe()
            _copy_mirror(hands, snapshot, _database(folder))
            world = _world(hands, store, own)
            world.assets = _unlisted(hands, before.there.unlisted) | world.assets
        # From here on the remote is out of reach: its session is closed.
        with _as_drill(), _served(world) as sandbox:
            stage = _Stage(app.config, hands, folder, sandbox.url, own)
            stage.store = store
            with stage.restoring("a drill", hands.target.remote_id) as on_stage:
                restore = prepare(on_stage, snapshot, selection, watch)
                _compare(before.plan, restore.plan)
                # It holds a whole agent, and there will be another one.
                del before
                now = Rehearsal(restore, restore.replay(watch))
                if restore.target.remote_id != snapshot.source.remote_id:
                    return Drilled(now, None)
                with sandbox.lock:
                    _lose_all(world, now)
                # Of what was live nothing is left to be deleted.
                selection = replace(selection, delete_extra=False, accepted={})
                restore = prepare(on_stage, snapshot, selection, watch)
                return Drilled(now, Rehearsal(restore, restore.replay(watch)))


class _Stage(App):
    """The program for the sandbox, whatever credentials the environment holds.

    Args:
        config: of the account.
        hands: that listed the target.
        folder: of the drill.
        url: of the sandbox.
        own: the sandbox's password, of its account and of its agents.
    """

    def __init__(self, config: Config, hands: Hands, folder: Path, url: str, own: str) -> None:
        target, passwords = hands.target, hands.means.passwords
        memoris: tuple[MemoriConfig, ...] = ()
        if passwords.get(target.remote_id) or passwords.get(target.name):
            file = folder / "own"
            file.touch(mode=0o600)
            file.write_text(own, "utf-8")
            memoris = (MemoriConfig(id=target.remote_id, password_file=str(file)),)
        staged = msgspec.structs.replace(
            config,
            account=AccountConfig(
                backend_url=url, engine_url=url, asset_urls=(url,), tenant=_USER, user=_USER
            ),
            memori=memoris,
            storage=StorageConfig(_database(folder), str(folder / "files")),
        )
        super().__init__(staged, hands.mirror.stop, hands.account.access.transport.redactor)
        self._own = Credentials(_USER, _USER, own)

    def credentials(self) -> Credentials:
        """Those of the sandbox."""
        return self._own


class _Beside(FileStore):
    """A store of its own that reads what another one has, and changes nothing there."""

    def __init__(self, root: Path, other: FileStore) -> None:
        super().__init__(root)
        self._other = other

    def path(self, sha256: str) -> Path:
        """Where a blob lies, here or there."""
        own = super().path(sha256)
        return own if own.exists() else self._other.path(sha256)

    def place(self, incoming: Path, sha256: str) -> None:
        """Put a file here."""
        own = super().path(sha256)
        own.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        incoming.replace(own)

    def note_name(self, sha256: str) -> None:
        """Nothing here is to last."""


@contextmanager
def _folder(stop: Stop) -> Iterator[Path]:
    """A private folder that is gone afterwards, whatever happens."""
    folder = None
    try:
        with stop.shield():
            folder = _made_folder()
        yield folder
    finally:
        with stop.shield():
            if folder:
                rmtree(folder)


def _made_folder() -> Path:
    try:
        return Path(tempfile.mkdtemp(prefix="aisuru-sync-drill-"))
    except OSError as error:
        raise StorageError(
            f"cannot make a temporary folder: {error.strerror}", "check $TMPDIR"
        ) from None


@contextmanager
def _as_drill() -> Iterator[None]:
    """Mark what is logged, and say of an error what it does not mean."""
    try:
        with structlog.contextvars.bound_contextvars(drill=True):
            yield
    except SyncError as error:
        error.hint = "it was a drill: nothing was sent to the remote"
        error.facts = {"drill": True}
        raise


@contextmanager
def _served(world: World) -> Iterator[Sandbox]:
    """A sandbox at work."""
    sandbox = Sandbox(world)
    # What is uploaded was on the remote before: how large and of which types files may be there
    # is not known (aisuru-api.md 9.1).
    sandbox.remote.upload_limit_bytes = sys.maxsize
    sandbox.remote.mime_type = _any_type
    with sandbox:
        yield sandbox


def _any_type(extension: str, start: bytes) -> str:
    return mime_type(extension, start) or "application/octet-stream"


def _database(folder: Path) -> str:
    return f"sqlite:///{folder / 'mirror.db'}"


def _copy_mirror(hands: Hands, snapshot: Snapshot, url: str) -> None:
    """Copy what a restore works with: `prepare` reads no more than this."""
    mirror, owner = hands.mirror, owner_of(hands.mirror)
    wanted: dict[Source, set[int]] = {hands.target: set(), snapshot.source: set(), owner: set()}
    for source, at in taken_from(mirror, hands.kinds, owner, snapshot).values():
        if at is not None:
            wanted[source].add(at)
            # What is older comes with the files that it had then.
            beside = mirror.sibling(at, owner)
            wanted[owner] |= {beside} if beside is not None else set()
    copy = Mirror(url, hands.kinds, mirror.stop)
    try:
        copy.migrate()
        copy_excerpt(mirror, copy, wanted)
    finally:
        copy.close()


def _world(hands: Hands, store: FileStore, own: str) -> World:
    """What was listed just now as a world, with credentials of its own."""
    mirror, kinds, target, owner = hands.mirror, hands.kinds, hands.target, owner_of(hands.mirror)
    pin = f"{secrets.randbelow(10**6):06}"
    world = World(
        Account(owner.remote_id, _USER, f"{_USER}@example.org", _USER, own),
        assets=_assets(hands, owner, store),
        badges=list(mirror.documents(owner, kinds["badge"])),
        keep=partial(_keep, store),
    )
    for document in mirror.documents(owner, kinds["memori"]):
        privacy = document.get("privacyType")
        agent = Agent(
            settings={
                **document,
                "giverTag": _USER,
                "giverPIN": pin,
                "secretToken": own if privacy == "PRIVATE" else None,
            },
            password=own if privacy == "SECRET" else None,
            unlisted_giver={"personType": "Giver", "tag": _USER, "pin": pin},
        )
        world.agents[agent.memori_id] = agent
    settings = {agent.memori_id: agent.settings for agent in world.agents.values()}
    for child in children(kinds["memori"], kinds):
        _embed(mirror, owner, child, parent_of(child), settings)
    agent = world.agents[target.remote_id]
    for kind in kinds.values():
        if kind.scope is not Scope.MEMORI or kind.list is None:
            continue
        if kind.parent is None:
            agent.collection(kind.list.answer).update(_by_key(mirror, target, kind))
        elif listing := kinds[kind.parent.kind].list:
            _embed(mirror, target, kind, kind.parent, agent.collection(listing.answer))
    return world


def _by_key(mirror: Mirror, source: Source, kind: Kind) -> dict[str, Document]:
    return {kind.key_of(each): each for each in mirror.documents(source, kind)}


def _embed(
    mirror: Mirror, source: Source, kind: Kind, place: Parent, parents: Mapping[str, Document]
) -> None:
    """Put children back into their parents' lists, in order."""
    for parent in parents.values():
        parent[place.field] = []
    documents = mirror.documents(source, kind)
    for each in sorted(documents, key=lambda document: document.get(place.position) or 0):
        child = {name: each[name] for name in each if name not in (place.key, place.position)}
        parents[each[place.key]][place.field].append(child)


def _assets(hands: Hands, owner: Source, store: FileStore) -> dict[str, Asset]:
    """{file name: file} of the account; what was not stored is lost here."""
    mirror, kind = hands.mirror, hands.kinds["asset"]
    stored = {
        each["key"]: str(each["sha256"])
        for each in mirror.documents(owner, FILE)
        if each.get("status") == STORED
    }
    lost = store.root / "lost"
    assets: dict[str, Asset] = {}
    for document in mirror.documents(owner, kind):
        found = [stored[ref.key] for ref in files_of(kind, document) if ref.key in stored]
        name = kind.address(document)["fileName"]
        is_name = name and name not in assets
        assets[name if is_name else kind.key_of(document)] = Asset(
            document, path=store.path(found[0]) if found else lost
        )
    return assets


def _unlisted(hands: Hands, files: Objects) -> dict[str, Asset]:
    """{file name: file} of those of others that are there; whatever their bytes, nobody asks."""
    return {
        hands.kinds[name].address(document)["fileName"]: Asset(
            {**document, "memoriID": None}, b"of others", is_listed=False
        )
        for (name, _), document in files.items()
    }


def _lose_all(world: World, done: Rehearsal) -> None:
    """Let an agent lose all that a restore can make, and every file that one would bring back.

    Its Giver and single messages stay, since no call makes them; so do all messages, of which a
    set that is lost as a whole cannot be made either.
    """
    kinds, agent = done.restore.there.kinds, world.agents[done.restore.target.remote_id]
    for kind in kinds.values():
        is_made = kind.create and not (kind.not_restorable or kind.key_given or kind.parent)
        if kind.list and kind.scope is Scope.MEMORI and is_made:
            objects = agent.collection(kind.list.answer)
            for key in [key for key in objects if not kind.limits(objects[key]).no_create]:
                del objects[key]
    matches = done.result.remaining.matches
    lost = {key for (name, _), key in matches.items() if is_file(kinds[name])}
    key = kinds["asset"].key
    for name in [name for name, each in world.assets.items() if each.document[key] in lost]:
        del world.assets[name]


def _keep(store: FileStore, document: Document, file: IO[bytes]) -> Asset:
    """An upload as an asset: its bytes came out of the store, so that is where they are."""
    digest = hashlib.sha256()
    for chunk in iter(lambda: file.read(_CHUNK_BYTES), b""):
        digest.update(chunk)
    return Asset(document, path=store.path(digest.hexdigest()))


def _compare(planned: Plan, staged: Plan) -> None:
    """Insist on the same plan in the sandbox: else it is not what the remote shows.

    Raises:
        SyncError: it is another one.
    """
    if planned == staged:
        return
    apart = {
        ident[0]
        for one, other in ((planned, staged), (staged, planned))
        for ident in (
            *(each.ident for each in one.steps if each not in other.steps),
            *(each.ident for each in one.losses if each not in other.losses),
            *(each for each in one.matches if each not in other.matches),
            *(each for each in one.extras if each not in other.extras),
        )
    }
    kinds = ", ".join(sorted(apart)) or "in another order"
    raise SyncError(f"this is a bug: the sandbox does not show what the remote shows ({kinds})")
