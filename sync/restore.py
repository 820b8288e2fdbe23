"""Restore: plan and replay what brings one Memori back (design 8).

Nothing is sent before a fresh, trusted listing was taken and the plan was agreed to. Each call is
noted before it goes out and after its answer came, so that a restore that was cut, however often,
leaves no duplicate: the next one settles first what this one left open.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace

from sync.absence import SOME, Acceptance, is_suspicious, too_many
from sync.api.account import choose_agent
from sync.backup import Wishes, backup
from sync.errors import BadAnswer, Interrupted, SyncError, worst
from sync.kind import Ident, Kind, Scope
from sync.lives import follow, last_known
from sync.mirror.journal import Journal
from sync.mirror.standing import PastRestore, restores
from sync.mirror.values import Reason, Snapshot, Source, Status
from sync.order import CREATE, DELETE, Step
from sync.plan import Loss, Plan, Terms, lacks, plan
from sync.refs import Objects, files_of, is_file
from sync.replay import Replay
from sync.resume import Resumption
from sync.selection import Selection, check_kinds, choose, owner_of, restorable, taking_part
from sync.settle import settle
from sync.snapshot import GUARDED, PARTIAL
from sync.target import Hands, Target, find_unlisted
from sync.wanted import Age, Wanted, ages, read_wanted
from sync.watch import Watch


@dataclass(frozen=True)
class Failure:
    """A step that was not done, and why."""

    step: Step
    reason: str


@dataclass(frozen=True)
class RestoreResult:
    """How a restore went.

    Attributes:
        restore_id: None if there was nothing to do, and nothing was gone on with.
        failures: steps that were not done, and are open still.
        remaining: what a fresh plan would still do.
        damaged: files that are there with other bytes than those that were backed up.
        held_code: what it means for the end that deletions were held back; 0 if none were.
        verified: the remote was listed again and is as wanted, in every restorable field and in
            every byte that was sent.
    """

    restore_id: int | None
    done: int
    failures: tuple[Failure, ...]
    remaining: Plan
    damaged: tuple[Ident, ...]
    held_code: int
    verified: bool

    @property
    def status(self) -> Status:
        """Is there nothing to go on with? Deletions that wait for somebody's word are."""
        is_whole = self.verified and self.held_code != GUARDED
        return Status.COMPLETE if is_whole else Status.INCOMPLETE

    @property
    def exit_code(self) -> int:
        """0 if all that could come back did, and all that should go went."""
        is_whole = self.verified and not self.failures
        return worst([self.held_code, 0 if is_whole else PARTIAL])


def prepare(
    hands: Hands,
    snapshot: Snapshot,
    selection: Selection,
    watch: Watch,
    resumed: Resumption | None = None,
) -> "Restore":
    """List a Memori anew, settle what earlier restores left open, and plan. Sends nothing.

    Args:
        hands: to work with.
        snapshot: what they come back from.
        selection: what of it.
        watch: told of progress.
        resumed: the earlier restore that is gone on with, if one is.

    Raises:
        UsageError: there is no such thing to restore.
        BadAnswer: the Memori cannot be listed so that it can be trusted.
    """
    mirror, target = hands.mirror, hands.target
    # It was chosen before the mirror was locked.
    mirror.past.check_kept(snapshot.id)
    kinds = taking_part(hands.kinds)
    owner = owner_of(mirror)
    check_kinds(selection, restorable(kinds))
    wanted = read_wanted(mirror, kinds, owner, snapshot, target, selection.kinds)
    chosen = choose(selection, wanted, snapshot)
    is_copy = target.remote_id != snapshot.source.remote_id
    journal = Journal(mirror, target, wanted.copied if is_copy else ())
    files = wanted.foreign if is_copy else frozenset(wanted.objects)
    there = Target(mirror, target, owner, kinds, journal, files)
    before_id = _list_again(hands, there, Reason.BEFORE_RESTORE, watch)
    settle(hands, there)
    theirs = {ident: wanted.objects[ident] for ident in sorted(wanted.unlisted)}
    there = replace(there, unlisted=find_unlisted(hands, there, theirs))
    considered = {name: each for name, each in kinds.items() if selection.takes(each)}
    old = ages(mirror.snapshots(), snapshot, considered)
    if resumed:
        resumed = resumed.settled(journal, there.live())
        selection = resumed.selection
    return Restore(hands, there, snapshot, wanted, chosen, old, before_id, selection, resumed)


class Restore:
    """One restore of one Memori that is prepared: look at `plan`, then `replay`.

    Attributes:
        target: the Memori that things come back into.
        snapshot: what they come back from.
        ages: how old each kind is that it is compared with.
        plan: what will be done.
        resumed: the earlier restore that is gone on with, or None.
        unlisted: files of others that are there, though no list of the account shows them.
        undoes: the restore that went back to another snapshot since this one was taken, or None.
    """

    def __init__(
        self,
        hands: Hands,
        there: Target,
        snapshot: Snapshot,
        wanted: Wanted,
        chosen: set[Ident] | None,
        ages: Mapping[str, Age],
        before_id: int,
        selection: Selection,
        resumed: Resumption | None,
    ) -> None:
        self.target = there.source
        self.snapshot = snapshot
        self.ages = ages
        self._hands = hands
        self._there = there
        self._wanted = wanted
        self._chosen = chosen
        self._before_id = before_id
        self._selection = selection
        self.resumed = resumed
        self.unlisted = there.unlisted
        self.undoes = _undone_by(snapshot, there.source, restores(hands.mirror))
        self._surplus = _surplus(selection, there.kinds, ages) if selection.delete_extra else {}
        # Nobody else writes to the mirror meanwhile.
        self._live = there.live(wanted.objects)
        self.plan = self._plan(self._live)
        held = _too_many(self.plan, self._live, there.kinds, Acceptance(selection.accepted))
        if held:
            self._surplus |= held
            self.plan = self._plan(self._live)
        self._held_code = GUARDED if held else PARTIAL if self.held else 0

    @property
    def held(self) -> dict[str, str]:
        """{kind: why nothing of it is deleted}, although it was asked for."""
        return {name: why for name, why in self._surplus.items() if why}

    def name_of(self, ident: Ident) -> str:
        """What a wanted object is called, or ""."""
        kind = self._there.kinds[ident[0]]
        return kind.name_of(self._wanted.objects.get(ident, {}))

    def replay(self, watch: Watch) -> RestoreResult:
        """Do what was planned, then list again and compare.

        Args:
            watch: told of progress.

        Raises:
            AccountRefused, StorageError, Interrupted: the next restore goes on from here.
        """
        if not self.plan.steps:
            return self._nothing_done()
        hands, there = self._hands, self._there
        restore_id = self._begin()
        self._recognise()
        password = self._password()
        replay = Replay(hands, there, restore_id, self.plan, self._wanted, self._live, password)
        failures: list[Failure] = []
        try:
            with closing(replay.run()) as tried:
                for number, (step, reason) in enumerate(tried, start=1):
                    watch(self.target.name, "restore", number, len(self.plan.steps))
                    if reason:
                        failures.append(Failure(step, reason))
            _list_again(hands, there, Reason.AFTER_RESTORE, watch)
            # A call whose answer was lost may have been carried out.
            settle(hands, there)
        except SyncError as error:
            error.also = (*error.also, PARTIAL)
            go_on = f"to go on from here: aisuru-sync restore --resume {restore_id}"
            error.hint = "; ".join(filter(None, (error.hint, go_on)))
            error.facts = {**error.facts, "restore_id": restore_id}
            is_stop = isinstance(error, Interrupted)
            there.journal.finish(restore_id, Status.INTERRUPTED if is_stop else Status.INCOMPLETE)
            raise
        result = self._result(restore_id, failures)
        there.journal.finish(restore_id, result.status)
        return result

    def _begin(self) -> int:
        """Note that it begins, or goes on; returns its id."""
        journal = self._there.journal
        if self.resumed is None:
            return journal.start(self.snapshot.id, self._before_id, vars(self._selection))
        self.resumed.note(journal, self._before_id)
        return self.resumed.past.id

    def _recognise(self) -> None:
        """Note which objects someone made again by hand."""
        journal, live = self._there.journal, self._live
        successors = journal.successors()
        journal.recognise(
            {
                last_known(ident, successors, live): key
                for ident, key in self.plan.matches.items()
                if follow(ident, successors, live) != key
            }
        )

    def _nothing_done(self) -> RestoreResult:
        """All is there: whatever was gone on with has come to its end."""
        if self.resumed is None:
            return self._result(None)
        result = self._result(self.resumed.past.id)
        if not self.resumed.is_complete:
            self._there.journal.finish(self.resumed.past.id, result.status)
        return result

    def _result(self, restore_id: int | None, failures: Sequence[Failure] = ()) -> RestoreResult:
        """Compare what was wanted with what is there now."""
        live = self._there.live(self._wanted.objects)
        remaining = self._plan(live)
        made = [step.ident for step in self.plan.steps if step.op == CREATE]
        lacking = (Loss(each, why) for each in made for why in lacks(self._there.kinds[each[0]]))
        losses = dict.fromkeys((*remaining.losses, *lacking))
        remaining = replace(remaining, losses=tuple(losses))
        open_still = {step.ident for step in remaining.steps}
        left = tuple(each for each in failures if each.step.ident in open_still)
        damaged = tuple(self._files_that_differ(remaining, live))
        return RestoreResult(
            restore_id=restore_id,
            done=len(self.plan.steps) - len(left),
            failures=left,
            remaining=remaining,
            damaged=damaged,
            held_code=self._held_code,
            verified=not (remaining.steps or damaged or self._damaged),
        )

    def _files_that_differ(self, plan: Plan, live: Objects) -> Iterator[Ident]:
        """Files that are there, but not with the bytes that were backed up."""
        pairs = {}
        for (name, key), live_key in plan.matches.items():
            is_chosen = self._chosen is None or (name, key) in self._chosen
            if is_chosen and is_file(self._there.kinds[name]):
                before = files_of(self._there.kinds[name], self._wanted.objects[name, key])
                now = files_of(self._there.kinds[name], live[name, live_key])
                for one, other in zip(before, now, strict=False):
                    pairs[name, key] = (one.key, other.key)
        stored = self._hands.mirror.stored_files({each for both in pairs.values() for each in both})
        for ident, both in pairs.items():
            hashes = {stored[each]["sha256"] for each in both if each in stored}
            if len(hashes) > 1:
                yield ident

    def _password(self) -> str:
        """The Memori's own password, if a step must carry it; never kept."""
        if not any(self._there.kinds[step.ident[0]].proof for step in self.plan.steps):
            return ""
        agent = choose_agent(self.target.remote_id, self._hands.account.agents())
        return self._hands.means.password_of(agent) or agent.password

    def _plan(self, live: Objects) -> Plan:
        successors = self._there.journal.successors()
        made = plan(
            self._wanted.objects,
            live,
            self._there.kinds,
            successors,
            frozenset(self._wanted.files),
            Terms(
                chosen=self._chosen,
                only_made=self._wanted.foreign,
                surplus={name for name, held in self._surplus.items() if not held},
                spared={
                    (name, follow((name, key), successors, live))
                    for name, key in self._wanted.damaged
                },
                recreate=self._selection.recreate,
            ),
        )
        reason = "what is stored of it is damaged, see: aisuru-sync check"
        losses = (Loss(ident, reason) for ident in sorted(self._damaged))
        return replace(made, losses=(*made.losses, *losses))

    @property
    def _damaged(self) -> frozenset[Ident]:
        """What cannot come back only because the mirror does not hold it as it was seen."""
        damaged = self._wanted.damaged
        return damaged if self._chosen is None else damaged & self._chosen


def _undone_by(
    snapshot: Snapshot, target: Source, past: Sequence[PastRestore]
) -> PastRestore | None:
    """The last restore of a Memori, if what it brought back was not in a later snapshot. Pure."""
    of_target = [each for each in past if each.target.id == target.id]
    is_undone = (
        of_target
        and snapshot.source.id == target.id
        and of_target[-1].started_at > snapshot.started_at
        and of_target[-1].snapshot_id != snapshot.id
    )
    return of_target[-1] if is_undone else None


def _surplus(
    selection: Selection, kinds: Mapping[str, Kind], ages: Mapping[str, Age]
) -> dict[str, str]:
    """{kind whose extras shall be deleted: why they are not, or ""}. Pure."""
    return {
        name: ages[name].why
        for name, kind in kinds.items()
        if name in ages
        and kind.delete is not None
        and (kind.scope is Scope.MEMORI or name in selection.kinds)
    }


def _too_many(
    plan: Plan, live: Objects, kinds: Mapping[str, Kind], accepted: Acceptance
) -> dict[str, str]:
    """{kind: why} of deletions that nobody would believe (design 6.2). Pure."""
    held = {}
    for name, kind in kinds.items():
        doomed = [each for each in plan.steps if each.op == DELETE and each.ident[0] == name]
        there = sum(1 for each in live if each[0] == name)
        if is_suspicious(len(doomed), there) and not accepted.take(name, len(doomed)):
            some = [kind.name_of(each.document) or each.live_key for each in doomed[:SOME]]
            agreed = accepted.number(name)
            held[name] = too_many(name, len(doomed), there, agreed, some)
    return held


def _list_again(hands: Hands, target: Target, reason: Reason, watch: Watch) -> int:
    """Take a snapshot of the live state; returns its id.

    Raises:
        BadAnswer: it could not be listed so that it can be trusted.
    """
    wishes = Wishes(
        memoris=[target.source.remote_id],
        # Personal data cannot come back, so nobody need look at it.
        kinds=frozenset(name for name, kind in hands.kinds.items() if not kind.is_personal),
        reason=reason,
        is_guarded=False,
    )
    result = backup(
        hands.account,
        hands.mirror,
        hands.store,
        hands.kinds,
        hands.means,
        wishes,
        watch,
        lambda *_: nullcontext(hands.access),
    )
    for snapshot in result.snapshots:
        for name, each in snapshot.kinds.items():
            if name in target.kinds and each.status is not Status.COMPLETE:
                raise BadAnswer(
                    f"{snapshot.source.name} cannot be listed reliably now: {each.error}",
                    "try again later",
                )
    return next(each.id for each in result.snapshots if each.source.id == target.source.id)
