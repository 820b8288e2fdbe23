"""Restore: plan and replay what brings one Memori back (design 8).

Nothing is sent before a fresh, trusted listing was taken and the plan was agreed to. Each call is
noted before it goes out and after its answer came, so that a restore that was cut, however often,
leaves no duplicate: the next one settles first what this one left open.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import datetime

import structlog

from sync.api.account import Account
from sync.api.remote import Access
from sync.backup import Wishes, backup, choose_agent, password_of
from sync.document import Document, canonical
from sync.errors import BadAnswer, UsageError
from sync.files import FileStore
from sync.kind import Ident, Kind, Scope
from sync.link import FileRef, file_refs
from sync.mirror.journal import Begun, Journal
from sync.mirror.mirror import Mirror
from sync.mirror.values import Snapshot, Status
from sync.order import UPDATE, Objects, Step, is_file
from sync.plan import Plan, plan
from sync.replay import Replay
from sync.settle import find_twin
from sync.snapshot import PARTIAL, Watch

BEFORE, AFTER = "before_restore", "after_restore"


@dataclass(frozen=True)
class Selection:
    """What of a Memori shall come back: `kinds` and `keys` narrow it down, none means all."""

    kinds: frozenset[str] = frozenset()
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Failure:
    """A step that was not done, and why."""

    step: Step
    reason: str


@dataclass(frozen=True)
class RestoreResult:
    """How a restore went.

    Attributes:
        restore_id: None if there was nothing to do.
        remaining: what a fresh plan would still do.
        verified: the remote was listed again and is as wanted, in every restorable field and in
            every byte that was sent.
    """

    restore_id: int | None
    done: int
    failures: tuple[Failure, ...]
    remaining: Plan
    verified: bool

    @property
    def exit_code(self) -> int:
        """0 if all that could come back did."""
        return 0 if self.verified and not self.failures else PARTIAL


def choose_snapshot(
    mirror: Mirror,
    memori: str | None,
    snapshot_id: int | None = None,
    at: datetime | None = None,
) -> Snapshot:
    """The snapshot to go back to: of one Memori, by default its latest complete one.

    Raises:
        UsageError: which one is not clear, or there is none.
    """
    sources = [each for each in mirror.sources() if each.scope is Scope.MEMORI]
    if memori is not None:
        sources = [each for each in sources if memori in (each.name, each.remote_id)]
    found = [each for each in mirror.snapshots() if each.source in sources]
    if snapshot_id is not None:
        found = [each for each in found if each.id == snapshot_id]
        if not found:
            raise UsageError(f"there is no snapshot {snapshot_id} of a Memori of that name")
        return found[0]
    if len(sources) != 1:
        names = ", ".join(repr(each.name) for each in sources) or "none"
        raise UsageError(f"say which Memori to restore: {names}", "add --memori")
    found = [each for each in found if each.status is Status.COMPLETE]
    # What a restore saw before and after itself is there to be named, not to be meant.
    found = [each for each in found if at or each.reason not in (BEFORE, AFTER)]
    if at is not None:
        found = [each for each in found if each.started_at <= at]
    if not found:
        raise UsageError(f"there is no complete snapshot of {sources[0].name!r} to go back to")
    return found[-1]


class Restore:
    """One restore of one Memori: first `plan`, then `replay`.

    Attributes:
        target: the Memori that things come back into.
        snapshot: what they come back from.
        plan: what will be done.
    """

    def __init__(
        self,
        account: Account,
        access: Access,
        mirror: Mirror,
        store: FileStore,
        kinds: Mapping[str, Kind],
        snapshot: Snapshot,
        selection: Selection,
        wishes: Wishes,
        watch: Watch,
    ) -> None:
        self.snapshot = snapshot
        self.target = snapshot.source
        self._account, self._access = account, access
        self._mirror, self._store = mirror, store
        self._all_kinds = kinds
        self._kinds = {name: each for name, each in kinds.items() if _takes_part(each)}
        self._wishes = wishes
        self._journal = Journal(mirror, self.target)
        self._log = structlog.get_logger("restore").bind(memori=self.target.name)
        (self._owner,) = (each for each in mirror.sources() if each.scope is Scope.ACCOUNT)
        self._wanted = self._wanted_objects()
        self._files = self._files_at_hand()
        self._chosen = self._choose(selection)
        self._before_id = self._list_again(BEFORE, watch)
        self._settle()
        self.plan = self._plan()

    def replay(self, watch: Watch) -> RestoreResult:
        """Do what was planned, then list again and compare.

        Args:
            watch: told of progress.

        Raises:
            AccountRefused, StorageError, Interrupted: the next restore goes on from here.
        """
        if not self.plan.steps:
            return RestoreResult(None, 0, (), self.plan, verified=True)
        restore_id = self._journal.start(self.snapshot.id, self._before_id)
        self._journal.recognise({i: key for i, key in self.plan.matches.items() if i[1] != key})
        replay = Replay(
            self._account.access,
            self._access,
            self._journal,
            restore_id,
            self._kinds,
            self._store,
            self._files,
            self._password(),
        )
        replay.begin(self.plan, self._wanted, self._live())
        failures: list[Failure] = []
        for number, step in enumerate(self.plan.steps, start=1):
            watch(self.target.name, "restore", number, len(self.plan.steps))
            reason = replay.carry_out(step)
            if reason:
                failures.append(Failure(step, reason))
        self._list_again(AFTER, watch)
        # A call whose answer was lost may have been carried out.
        self._settle()
        remaining = self._plan()
        verified = not remaining.steps and replay.arrived(self._mirror)
        result = RestoreResult(
            restore_id,
            len(self.plan.steps) - len(failures),
            tuple(failures),
            remaining,
            verified,
        )
        self._journal.finish(restore_id, "complete" if verified else "partial")
        return result

    def _password(self) -> str:
        """The Memori's own password, if a step must carry it; never kept."""
        if not any(self._kinds[step.ident[0]].proof for step in self.plan.steps):
            return ""
        agent = choose_agent(self.target.remote_id, self._account.agents())
        return password_of(agent, self._wishes.passwords) or agent.password

    def _plan(self) -> Plan:
        at_hand = frozenset(self._files)
        successors = self._journal.successors()
        return plan(self._wanted, self._live(), self._kinds, successors, at_hand, self._chosen)

    def _wanted_objects(self) -> Objects:
        """What was there: the Memori's objects, and the files of the account that belong to it."""
        wanted = {
            (kind.name, key): document
            for kind in self._kinds.values()
            if kind.scope is Scope.MEMORI
            for key, document in self._mirror.state(self.target, kind, self.snapshot.id)
        }
        whole = " ".join(_texts(wanted.values()))
        account_snapshot = self._mirror.sibling(self.snapshot.id, self._owner)
        for kind in self._kinds.values():
            if kind.scope is Scope.ACCOUNT:
                for key, document in self._mirror.state(self._owner, kind, account_snapshot):
                    if self._belongs(kind, document, whole):
                        wanted[kind.name, key] = document
        return wanted

    def _belongs(self, kind: Kind, document: Document, texts: str) -> bool:
        if document.get("memoriID") == self.target.remote_id:
            return True
        return any(ref and ref.asset_file in texts for ref in _file_refs_of(kind, document))

    def _live(self) -> Objects:
        return {
            (kind.name, key): document
            for kind in self._kinds.values()
            for source in ((self._owner if kind.scope is Scope.ACCOUNT else self.target),)
            for key, document in self._mirror.state(source, kind)
        }

    def _files_at_hand(self) -> Mapping[str, Document]:
        keys = (
            ref.key
            for (name, _), document in self._wanted.items()
            for ref in _file_refs_of(self._kinds[name], document)
            if is_file(self._kinds[name]) and ref
        )
        stored = self._mirror.stored_files(keys)
        return {
            key: each for key, each in stored.items() if self._store.path(each["sha256"]).is_file()
        }

    def _choose(self, selection: Selection) -> set[Ident] | None:
        if not selection.kinds and not selection.keys:
            return None
        unknown = selection.kinds - self._kinds.keys()
        if unknown:
            names = ", ".join(self._kinds)
            raise UsageError(f"cannot restore {', '.join(sorted(unknown))}", f"kinds: {names}")
        if selection.keys and len(selection.kinds) != 1:
            raise UsageError("--key needs exactly one --kind")
        chosen = {ident for ident in self._wanted if ident[0] in selection.kinds}
        if not selection.keys:
            return chosen
        missing = selection.keys - {key for _, key in chosen}
        if missing:
            raise UsageError(f"snapshot {self.snapshot.id} holds no {', '.join(sorted(missing))}")
        return {ident for ident in chosen if ident[1] in selection.keys}

    def _list_again(self, reason: str, watch: Watch) -> int:
        """Take a snapshot of the live state; returns its id.

        Raises:
            BadAnswer: it could not be listed so that it can be trusted.
        """
        wishes = Wishes(
            memoris=[self.target.remote_id],
            page_size=self._wishes.page_size,
            concurrency=self._wishes.concurrency,
            origins=self._wishes.origins,
            reason=reason,
        )
        result = backup(
            self._account,
            self._mirror,
            self._store,
            self._all_kinds,
            wishes,
            watch,
            lambda *_: nullcontext(self._access),
        )
        for snapshot in result.snapshots:
            for name, each in snapshot.kinds.items():
                if name in self._kinds and each.status is not Status.COMPLETE:
                    raise BadAnswer(
                        f"{snapshot.source.name} cannot be listed reliably now: {each.error}",
                        "try again later",
                    )
        return next(each.id for each in result.snapshots if each.source.id == self.target.id)

    def _settle(self) -> None:
        """Find out what came of the steps that earlier restores left open."""
        begun = self._journal.begun()
        if not begun:
            return
        live, taken = self._live(), self._journal.taken()
        for step in begun:
            if step.op == UPDATE:
                self._journal.failed(step.id, "cut short; planned anew")
                continue
            kind = self._kinds[step.kind]
            owner = self._owner if kind.scope is Scope.ACCOUNT else self.target
            before_id = self._mirror.sibling(step.before_snapshot_id, owner)
            before = {key for key, _ in self._mirror.state(owner, kind, before_id)}
            candidates = {
                key: document
                for (name, key), document in live.items()
                if name == kind.name and key not in before and (name, key) not in taken
            }
            sha256_of = self._hashes(kind, candidates)
            is_only = len([each for each in begun if _same_place(each, step)]) == 1
            key = find_twin(step, kind, candidates, sha256_of, is_only=is_only)
            self._log.info("step.settled", kind=kind.name, key=step.old_key, found=key)
            if key is None:
                self._journal.failed(step.id, "not carried out")
            else:
                taken.add((kind.name, key))
                self._journal.done(step.id, (kind.name, step.old_key), key)

    def _hashes(self, kind: Kind, objects: Mapping[str, Document]) -> dict[str, str]:
        if not is_file(kind):
            return {}
        by_file = {
            ref.key: key
            for key, document in objects.items()
            for ref in _file_refs_of(kind, document)
        }
        stored = self._mirror.stored_files(by_file)
        return {by_file[each]: document["sha256"] for each, document in stored.items()}


def _takes_part(kind: Kind) -> bool:
    """Can anything of this kind be brought back into a Memori?"""
    return kind.create is not None or kind.update is not None


def _file_refs_of(kind: Kind, document: Document) -> set[FileRef]:
    return file_refs({name: document.get(name) for name in kind.files}, kind.files, ())


def _texts(documents: Iterable[Document]) -> Iterator[str]:
    """The documents that mention an asset at all, as text."""
    for document in documents:
        text = canonical(document)
        if "/asset/" in text.lower():
            yield text


def _same_place(one: Begun, other: Begun) -> bool:
    return (one.kind, one.parent_new_key) == (other.kind, other.parent_new_key)
