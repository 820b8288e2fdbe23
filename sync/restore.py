"""Restore: plan and replay what brings one Memori back (design 8).

Nothing is sent before a fresh, trusted listing was taken and the plan was agreed to. Each call is
noted before it goes out and after its answer came, so that a restore that was cut, however often,
leaves no duplicate: the next one settles first what this one left open.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace

from sync.absence import Acceptance
from sync.api.account import choose_agent
from sync.backup import Wishes, backup
from sync.errors import BadAnswer, Interrupted, SyncError, worst
from sync.kind import Ident, Kind
from sync.lives import follow, last_known
from sync.mirror.standing import PastRestore, restores
from sync.mirror.values import Reason, Snapshot, Source, Status
from sync.order import CREATE, Step
from sync.plan import Loss, Plan, Terms, lacks, plan
from sync.refs import Objects, files_of, is_file
from sync.replay import Replay
from sync.restore_point import Age, ages
from sync.resume import Resumption
from sync.selection import Selection, check_kinds, chosen_objects, owner_of, restorable, taking_part
from sync.settle import settle
from sync.snapshot import GUARDED, PARTIAL
from sync.surplus import Surplus, surplus_of
from sync.target import Hands, Target, find_unlisted, open_journal
from sync.wanted import Wanted, each_once, read_wanted
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
    mirror = hands.mirror
    # It was chosen before the mirror was locked.
    mirror.past.check_kept(snapshot.id)
    kinds = taking_part(hands.kinds)
    check_kinds(selection, restorable(kinds))
    wanted = read_wanted(mirror, kinds, owner_of(mirror), snapshot, hands.target, selection.kinds)
    chosen = chosen_objects(selection, wanted, snapshot)
    there, before_id = _list_anew(hands, kinds, snapshot, wanted, watch)
    # Nobody else writes to the mirror meanwhile.
    live = there.live(wanted.objects)
    wanted = each_once(wanted, live, kinds, there.journal.successors(), selection.keys)
    if resumed:
        resumed = resumed.settled(there.journal, live)
        selection = resumed.selection
    considered = {name: each for name, each in kinds.items() if selection.takes(each)}
    old = ages(mirror.snapshots(), snapshot, considered)
    asked = surplus_of(selection, kinds, old)
    terms = Terms(
        chosen=chosen,
        only_made=wanted.foreign,
        damaged=wanted.damaged,
        surplus=asked.going,
        recreate=selection.recreate,
    )
    made = _plan(there, wanted, live, terms)
    surplus = asked.believed(made, live, kinds, Acceptance(selection.accepted))
    if surplus != asked:
        terms = replace(terms, surplus=surplus.going)
        made = _plan(there, wanted, live, terms)
    return Restore(
        hands=hands,
        there=there,
        snapshot=snapshot,
        selection=selection,
        resumed=resumed,
        undoes=_undone_by(snapshot, hands.target, restores(mirror)),
        wanted=wanted,
        ages=old,
        before_id=before_id,
        live=live,
        terms=terms,
        plan=made,
        surplus=surplus,
    )


@dataclass(frozen=True)
class Restore:
    """One restore of one Memori that is prepared: look at `plan`, then `replay`.

    Attributes:
        hands: to work with.
        there: what things come back into.
        snapshot: what they come back from.
        selection: what of it.
        resumed: the earlier restore that is gone on with, or None.
        undoes: the restore that went back to another snapshot since this one was taken, or None.
        wanted: what was there.
        ages: how old each kind is that it is compared with.
        before_id: the snapshot of what is there now.
        live: what is there now.
        terms: what the plan may do.
        plan: what will be done.
        surplus: what is deleted, and what is not although it was asked for.
    """

    hands: Hands
    there: Target
    snapshot: Snapshot
    selection: Selection
    resumed: Resumption | None
    undoes: PastRestore | None
    wanted: Wanted
    ages: Mapping[str, Age]
    before_id: int
    live: Objects
    terms: Terms
    plan: Plan
    surplus: Surplus

    @property
    def target(self) -> Source:
        """The Memori that things come back into."""
        return self.there.source

    def name_of(self, ident: Ident) -> str:
        """What a wanted object is called, or ""."""
        return self.there.kinds[ident[0]].name_of(self.wanted.objects.get(ident, {}))

    def replay(self, watch: Watch) -> RestoreResult:
        """Do what was planned, then list again and compare.

        Args:
            watch: told of progress.

        Raises:
            AccountRefused, StorageError, Interrupted: the next restore goes on from here.
        """
        if not self.plan.steps:
            return self._nothing_done()
        hands, there = self.hands, self.there
        restore_id = self._begin()
        self._recognise()
        password = self._password()
        replay = Replay(hands, there, restore_id, self.plan, self.wanted, self.live, password)
        failures: list[Failure] = []
        try:
            with closing(replay.run()) as tried:
                for number, (step, reason) in enumerate(tried, start=1):
                    watch(self.target.name, "restore", number, len(self.plan.steps))
                    if reason:
                        failures.append(Failure(step, reason))
            _take_snapshot(hands, there, Reason.AFTER_RESTORE, watch)
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
        journal = self.there.journal
        if self.resumed is None:
            return journal.start(self.snapshot.id, self.before_id, vars(self.selection))
        self.resumed.note(journal, self.before_id)
        return self.resumed.past.id

    def _recognise(self) -> None:
        """Note which objects someone made again by hand."""
        journal, live = self.there.journal, self.live
        successors = journal.successors()
        journal.recognise(
            {
                last_known(ident, successors, live): key
                for ident, key in self.plan.matches.items()
                # A file of another agent's was made by nobody here.
                if ident not in self.wanted.foreign and follow(ident, successors, live) != key
            }
        )

    def _nothing_done(self) -> RestoreResult:
        """All is there: whatever was gone on with has come to its end."""
        if self.resumed is None:
            return self._result(None)
        result = self._result(self.resumed.past.id)
        if not self.resumed.is_complete:
            self.there.journal.finish(self.resumed.past.id, result.status)
        return result

    def _result(self, restore_id: int | None, failures: Sequence[Failure] = ()) -> RestoreResult:
        """Compare what was wanted with what is there now."""
        live, surplus = self.there.live(self.wanted.objects), self.surplus
        remaining = _plan(self.there, self.wanted, live, self.terms)
        made = [step.ident for step in self.plan.steps if step.op == CREATE]
        lacking = (Loss(each, why) for each in made for why in lacks(self.there.kinds[each[0]]))
        losses = dict.fromkeys((*remaining.losses, *lacking))
        remaining = replace(remaining, losses=tuple(losses))
        open_still = {step.ident for step in remaining.steps}
        left = tuple(each for each in failures if each.step.ident in open_still)
        damaged = tuple(self._files_that_differ(remaining, live))
        is_any_unknown = any(map(self.terms.takes, self.wanted.damaged))
        return RestoreResult(
            restore_id=restore_id,
            done=len(self.plan.steps) - len(left),
            failures=left,
            remaining=remaining,
            damaged=damaged,
            held_code=GUARDED if surplus.is_doubted else PARTIAL if surplus.held else 0,
            verified=not (remaining.steps or damaged or is_any_unknown),
        )

    def _files_that_differ(self, plan: Plan, live: Objects) -> Iterator[Ident]:
        """Files that are there, but not with the bytes that were backed up."""
        pairs = {}
        for (name, key), live_key in plan.matches.items():
            kind = self.there.kinds[name]
            if self.terms.takes((name, key)) and is_file(kind):
                before = files_of(kind, self.wanted.objects[name, key])
                now = files_of(kind, live[name, live_key])
                for one, other in zip(before, now, strict=False):
                    pairs[name, key] = (one.key, other.key)
        stored = self.hands.mirror.stored_files({each for both in pairs.values() for each in both})
        for ident, both in pairs.items():
            hashes = {stored[each]["sha256"] for each in both if each in stored}
            if len(hashes) > 1:
                yield ident

    def _password(self) -> str:
        """The Memori's own password, if a step must carry it; never kept."""
        if not any(self.there.kinds[step.ident[0]].proof for step in self.plan.steps):
            return ""
        agent = choose_agent(self.target.remote_id, self.hands.account.agents())
        return self.hands.means.password_of(agent) or agent.password


def _list_anew(
    hands: Hands, kinds: Mapping[str, Kind], snapshot: Snapshot, wanted: Wanted, watch: Watch
) -> tuple[Target, int]:
    """The target listed and settled, and the id of the snapshot that shows it."""
    mirror, target, owner = hands.mirror, hands.target, owner_of(hands.mirror)
    is_copy = target.remote_id != snapshot.source.remote_id
    own = wanted.objects.keys() - wanted.foreign if is_copy else wanted.foreign
    copied = wanted.copied if is_copy else frozenset()
    journal = open_journal(mirror, target, owner, kinds, own, copied)
    files = wanted.foreign if is_copy else frozenset(wanted.objects)
    there = Target(mirror, target, owner, kinds, journal, files)
    before_id = _take_snapshot(hands, there, Reason.BEFORE_RESTORE, watch)
    settle(hands, there)
    theirs = {ident: wanted.objects[ident] for ident in sorted(wanted.unlisted)}
    return replace(there, unlisted=find_unlisted(hands, there, theirs)), before_id


def _plan(there: Target, wanted: Wanted, live: Objects, terms: Terms) -> Plan:
    successors, stored = there.journal.successors(), frozenset(wanted.files)
    return plan(wanted.objects, live, there.kinds, successors, stored, terms)


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


def _take_snapshot(hands: Hands, there: Target, reason: Reason, watch: Watch) -> int:
    """Take a snapshot of the live state; returns its id.

    Raises:
        BadAnswer: it could not be listed so that it can be trusted.
    """
    wishes = Wishes(
        memoris=[there.source.remote_id],
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
            if name in there.kinds and each.status is not Status.COMPLETE:
                raise BadAnswer(
                    f"{snapshot.source.name} cannot be listed reliably now: {each.error}",
                    "try again later",
                )
    return next(each.id for each in result.snapshots if each.source.id == there.source.id)
