"""Backup: one run mirrors the account and its Memoris, source by source (design 6)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from sync.absence import Acceptance
from sync.api.account import Account, Agent, OpenGiver, choose_agents
from sync.api.means import Means
from sync.claim import claim
from sync.errors import BadAnswer, SyncError, UsageError, failing_alone, worst
from sync.files import FileStore
from sync.kind import Kind
from sync.kinds.memori import MEMORI
from sync.mirror.mirror import Mirror
from sync.mirror.values import Reason, Snapshot, Source, Status
from sync.open_run import OpenRun
from sync.outcome import FileTrouble, LeftOut
from sync.snapshot import OpenSnapshot
from sync.watch import Watch


@dataclass(frozen=True)
class Wishes:
    """What a run is asked for.

    Attributes:
        memoris: names or Backend ids of agents; none means all that the account owns.
        is_limited: they are fewer than are otherwise backed up.
        kinds: which kinds; none means all.
        reason: what the run is made for.
        is_guarded: hold back absences that are too many to believe (design 6.2).
        accept_deletions: {kind: how many} of them are right, in one source.
    """

    memoris: Sequence[str] = ()
    is_limited: bool = False
    kinds: frozenset[str] = frozenset()
    reason: Reason = Reason.MANUAL
    is_guarded: bool = True
    accept_deletions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class RunResult:
    """How a run went.

    Attributes:
        exit_code: what a command ends with that did nothing else.
        file_troubles: the first files that could not be had, and why.
        gone: Memoris that the run proved to be in the account no more.
    """

    run_id: int
    snapshots: list[Snapshot]
    exit_code: int
    file_troubles: list[FileTrouble]
    gone: list[Source]


def backup(
    account: Account,
    mirror: Mirror,
    store: FileStore,
    kinds: Mapping[str, Kind],
    means: Means,
    wishes: Wishes,
    watch: Watch,
    giver: OpenGiver | None = None,
) -> RunResult:
    """Mirror the account and the chosen Memoris.

    Args:
        account: logged in.
        mirror: migrated, and locked against other writers.
        store: prepared.
        kinds: the registry.
        means: to ask with.
        wishes: what to back up.
        watch: told of progress.
        giver: opens the session of an agent, if one is open already; else `account.giver`.

    Raises:
        UsageError: a wished Memori or kind does not exist, or the mirror is another account's.
        StorageError: the disk fails, or the folder of the files is another mirror's.
        AccountRefused, StorageError, Interrupted: what was seen until then is committed.
        RemoteError: the account's Memoris cannot be listed at all.
    """
    chosen = choose_kinds(wishes.kinds, kinds)
    choose_kinds(frozenset(wishes.accept_deletions), kinds)
    owned = account.agents()
    agents = choose_agents(wishes.memoris, owned)
    store.prepare()
    claim(mirror, store)
    source = mirror.register_account(account.user_id, account.name)
    covers_all = all(kind.is_personal for name, kind in kinds.items() if name not in chosen)
    others = {agent.memori_id for agent in owned} - {agent.memori_id for agent in agents}
    run = OpenRun(
        run_id=mirror.next_run_id(),
        mirror=mirror,
        store=store,
        kinds=chosen,
        others=others,
        # What is held of personal data keeps its files, though it is not listed any more.
        referring=kinds if covers_all else chosen,
        covers_all=covers_all,
        means=means,
        reason=wishes.reason,
        watch=watch,
        is_guarded=wishes.is_guarded,
        accepted=Acceptance(wishes.accept_deletions),
        left_out=LeftOut(means.without_files),
    )
    of_account, exit_codes = OpenSnapshot(run, source), []
    try:
        with of_account:
            of_account.list_kinds(account.access)
            if not wishes.memoris and (unseen := _unseen(run, source, owned)):
                of_account.fail(BadAnswer(f"listed, but not shown as the account's own: {unseen}"))
            for agent in agents:
                password = means.password_of(agent)
                exit_codes += _back_up_agent(
                    run, giver or account.giver, of_account, agent, password
                )
            missed = others if wishes.is_limited else ()
            with failing_alone(of_account.fail):
                of_account.fetch_files(account.access, left_alone=others, missed=missed)
    except SyncError as error:
        error.also = (*of_account.exit_codes, *exit_codes)
        raise
    exit_codes += of_account.exit_codes
    gone = mirror.mark_gone([agent.memori_id for agent in owned])
    for each in gone:
        log = structlog.get_logger("backup")
        log.warning("memori.gone", memori=each.name, memori_id=each.remote_id)
    snapshots = mirror.snapshots(run_id=run.run_id)
    _tell_not_needed(run, snapshots, is_limited=wishes.is_limited)
    return RunResult(run.run_id, snapshots, worst(exit_codes), run.troubles.first(), gone)


def _tell_not_needed(run: OpenRun, snapshots: Sequence[Snapshot], *, is_limited: bool) -> None:
    """Tell what was agreed to beforehand and did not come up: it may be a slip of the pen."""
    log = structlog.get_logger("backup")
    for kind, number in run.accepted.unasked().items():
        log.warning("acceptance.not_needed", kind=kind, number=number)
    # Whoever did not see all cannot know, and a restore's own listing is not the place.
    saw_all = all(each.status is Status.COMPLETE for each in snapshots)
    if saw_all and run.covers_all and run.is_guarded and not is_limited:
        for name in run.left_out.unmet():
            log.warning("without_files.not_needed", name=name)


def _unseen(run: OpenRun, account: Source, owned: Sequence[Agent]) -> str:
    """The Memoris that a listing just proved to be there, but that are not to be backed up."""
    if (kind := run.kinds.get(MEMORI.name)) is None:
        return ""
    ids = {agent.memori_id for agent in owned}
    found = run.mirror.documents(account, kind)
    return ", ".join(kind.name_of(each) for each in found if kind.key_of(each) not in ids)


def _back_up_agent(
    run: OpenRun, giver: OpenGiver, of_account: OpenSnapshot, agent: Agent, password: str
) -> list[int]:
    """Mirror one Memori under one Giver session; what fails here fails alone.

    Returns:
        The exit codes that what went wrong means for the run.
    """
    source = run.mirror.register_memori(agent.memori_id, agent.name, agent.engine_memori_id)
    with (
        OpenSnapshot(run, source) as of_memori,
        failing_alone(of_memori.fail),
        giver(agent, password) as access,
    ):
        of_memori.list_kinds(access)
        of_memori.fetch_files(access)
        # The account's files of this Memori need its session, too.
        of_account.fetch_files(access, agent.memori_id)
    return of_memori.exit_codes


def choose_kinds(names: frozenset[str], kinds: Mapping[str, Kind]) -> Mapping[str, Kind]:
    """The kinds of a run: those named with their parents, or all.

    Raises:
        UsageError: a name is unknown.
    """
    unknown = names - kinds.keys()
    if unknown:
        raise UsageError(
            f"there is no kind {', '.join(sorted(unknown))}", f"kinds: {', '.join(kinds)}"
        )
    parents = {parent.kind for name in names if (parent := kinds[name].parent)}
    wanted = names | parents if names else kinds.keys()
    # A parent's documents cannot be read without cutting their children out.
    embedded = {n for n, kind in kinds.items() if kind.parent and kind.parent.kind in wanted}
    return {name: kind for name, kind in kinds.items() if name in wanted | embedded}
