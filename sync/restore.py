"""Restore: plan and replay what brings one Memori back (design 8).

Nothing is sent before a fresh, trusted listing was taken and the plan was agreed to. Each call is
noted before it goes out and after its answer came, so that a restore that was cut, however often,
leaves no duplicate: the next one settles first what this one left open.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

import structlog

from sync.api.account import Account
from sync.api.download import download
from sync.api.remote import Access
from sync.backup import Wishes, backup, choose_agent, password_of
from sync.document import Document
from sync.errors import BadAnswer, Interrupted, NotFound, RemoteError, SyncError, UsageError
from sync.files import FileStore
from sync.kind import Ident, Kind, Scope
from sync.link import FileRef
from sync.mirror.journal import Begun, Journal
from sync.mirror.mirror import Mirror
from sync.mirror.tables import AFTER, BEFORE
from sync.mirror.values import Snapshot, Status
from sync.order import UPDATE, Objects, Step, files_of, is_file
from sync.plan import Plan, follow, last_known, plan
from sync.replay import Replay
from sync.settle import settle
from sync.snapshot import PARTIAL
from sync.wanted import ages, read_wanted
from sync.watch import Watch


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
        failures: steps that were not done, and are open still.
        remaining: what a fresh plan would still do.
        damaged: files that are there with other bytes than those that were backed up.
        verified: the remote was listed again and is as wanted, in every restorable field and in
            every byte that was sent.
    """

    restore_id: int | None
    done: int
    failures: tuple[Failure, ...]
    remaining: Plan
    damaged: tuple[Ident, ...]
    verified: bool

    @property
    def exit_code(self) -> int:
        """0 if all that could come back did."""
        return 0 if self.verified and not self.failures else PARTIAL


class Restore:
    """One restore of one Memori: first `plan`, then `replay`.

    Attributes:
        target: the Memori that things come back into.
        snapshot: what they come back from.
        plan: what will be done.
        ages: how old each kind is that it is compared with.
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
        self._wanted = read_wanted(mirror, store, self._kinds, self._owner, snapshot)
        self._chosen = self._choose(selection)
        self.ages = ages(
            mirror.snapshots(),
            snapshot,
            {
                name: each
                for name, each in self._kinds.items()
                if not selection.kinds or name in selection.kinds
            },
        )
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
            return self._result(None)
        restore_id = self._journal.start(self.snapshot.id, self._before_id)
        live, successors = self._live(), self._journal.successors()
        self._journal.recognise(
            {
                last_known(ident, successors, live): key
                for ident, key in self.plan.matches.items()
                if follow(ident, successors, live) != key
            }
        )
        replay = Replay(
            self._account.access,
            self._access,
            self._journal,
            restore_id,
            self._kinds,
            self._store,
            self._wanted.files,
            self._password(),
        )
        replay.begin(self.plan, self._wanted.objects, live, successors)
        failures: list[Failure] = []
        try:
            for number, step in enumerate(self.plan.steps, start=1):
                watch(self.target.name, "restore", number, len(self.plan.steps))
                if reason := replay.carry_out(step):
                    failures.append(Failure(step, reason))
            self._list_again(AFTER, watch)
        except SyncError as error:
            error.also = (*error.also, PARTIAL)
            error.hint = "; ".join(filter(None, (error.hint, "run it again: it goes on from here")))
            is_stop = isinstance(error, Interrupted)
            self._journal.finish(restore_id, Status.INTERRUPTED if is_stop else Status.INCOMPLETE)
            raise
        # A call whose answer was lost may have been carried out.
        self._settle()
        result = self._result(restore_id, failures)
        status = Status.COMPLETE if result.verified else Status.INCOMPLETE
        self._journal.finish(restore_id, status)
        return result

    def _result(self, restore_id: int | None, failures: Sequence[Failure] = ()) -> RestoreResult:
        """Compare what was wanted with what is there now."""
        remaining = self._plan()
        open_still = {step.ident for step in remaining.steps}
        left = tuple(each for each in failures if each.step.ident in open_still)
        damaged = tuple(self._files_that_differ(remaining))
        return RestoreResult(
            restore_id=restore_id,
            done=len(self.plan.steps) - len(left),
            failures=left,
            remaining=remaining,
            damaged=damaged,
            verified=not remaining.steps and not damaged,
        )

    def _files_that_differ(self, plan: Plan) -> Iterator[Ident]:
        """Files that are there, but not with the bytes that were backed up."""
        live, pairs = self._live(), {}
        for (name, key), live_key in plan.matches.items():
            is_chosen = self._chosen is None or (name, key) in self._chosen
            if is_chosen and is_file(self._kinds[name]):
                before = files_of(self._kinds[name], self._wanted.objects[name, key])
                now = files_of(self._kinds[name], live[name, live_key])
                for one, other in zip(before, now, strict=False):
                    pairs[name, key] = (one.key, other.key)
        stored = self._mirror.stored_files({each for both in pairs.values() for each in both})
        for ident, both in pairs.items():
            hashes = {stored[each]["sha256"] for each in both if each in stored}
            if len(hashes) > 1:
                yield ident

    def _password(self) -> str:
        """The Memori's own password, if a step must carry it; never kept."""
        if not any(self._kinds[step.ident[0]].proof for step in self.plan.steps):
            return ""
        agent = choose_agent(self.target.remote_id, self._account.agents())
        return password_of(agent, self._wishes.passwords) or agent.password

    def _plan(self) -> Plan:
        at_hand = frozenset(self._wanted.files)
        successors = self._journal.successors()
        return plan(
            self._wanted.objects,
            self._live(),
            self._kinds,
            successors,
            at_hand,
            self._chosen,
            self._wanted.foreign,
        )

    def _live(self) -> Objects:
        return {
            (kind.name, key): document
            for kind in self._kinds.values()
            for source in ((self._owner if kind.scope is Scope.ACCOUNT else self.target),)
            for key, document in self._mirror.past.state(source, kind)
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
        chosen = {ident for ident in self._wanted.objects if ident[0] in selection.kinds}
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
            limits=self._wishes.limits,
            reason=reason,
            is_guarded=False,
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
        """Find out what came of the steps that earlier restores left open.

        Raises:
            BadAnswer: that cannot be told now.
        """
        begun = self._journal.begun()
        for step in (each for each in begun if each.op == UPDATE):
            self._journal.failed(step.id, "cut short; planned anew")
        makers = [each for each in begun if each.op != UPDATE]
        for place in dict.fromkeys((each.kind, each.before_snapshot_id) for each in makers):
            steps = [each for each in makers if (each.kind, each.before_snapshot_id) == place]
            kind = self._kinds[place[0]]
            candidates = self._new_since(kind, place[1])
            found = settle(steps, kind, candidates, self._hashes(kind, steps, candidates))
            live, successors = self._live(), self._journal.successors()
            for step in steps:
                key = found[step.id]
                self._log.info("step.settled", kind=kind.name, key=step.old_key, found=key)
                if key is None:
                    self._journal.failed(step.id, "not carried out")
                else:
                    lost = (kind.name, key if kind.key_given else step.old_key)
                    self._journal.done(step.id, last_known(lost, successors, live), key)

    def _new_since(self, kind: Kind, snapshot_id: int) -> dict[str, Document]:
        """Objects that were not there at a snapshot, and that no other step made."""
        owner = self._owner if kind.scope is Scope.ACCOUNT else self.target
        before_id = self._mirror.sibling(snapshot_id, owner)
        before = {key for key, _ in self._mirror.past.state(owner, kind, before_id)}
        taken = self._journal.taken()
        return {
            key: document
            for key, document in self._mirror.past.state(owner, kind)
            if key not in before and (kind.name, key) not in taken
        }

    def _hashes(
        self, kind: Kind, steps: Sequence[Begun], candidates: Mapping[str, Document]
    ) -> dict[str, str]:
        """{key: hash} of new files, where steps of this kind make files."""
        if not is_file(kind):
            return {}
        places = [step.sent.get("memoriID") for step in steps]
        return {
            key: self._hash_of(ref)
            for key, document in candidates.items()
            if document.get("memoriID") in places
            for ref in files_of(kind, document)
        }

    def _hash_of(self, ref: FileRef) -> str:
        known = self._mirror.stored_files([ref.key])
        if ref.key in known:
            return str(known[ref.key]["sha256"])
        try:
            with self._store.receive() as incoming:
                download(self._access, ref, incoming)
                return incoming.keep().sha256
        except NotFound:
            return ""
        except RemoteError as error:
            raise BadAnswer(
                f"cannot tell whether an upload arrived: {error}", "try again later"
            ) from None


def _takes_part(kind: Kind) -> bool:
    """Can anything of this kind be brought back into a Memori?"""
    return kind.create is not None or kind.update is not None
