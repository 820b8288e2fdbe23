"""`aisuru-sync restore`: bring an agent back to what it was."""

import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from sync.cli.deletions import by_kind, deletions_option
from sync.cli.door import ID, Door, Reply, make_command, table
from sync.errors import Interrupted, UsageError
from sync.wording import counted, in_line

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sync.app import App
    from sync.kind import Ident, Kind
    from sync.mirror.values import Snapshot
    from sync.order import Step
    from sync.plan import Loss, Plan
    from sync.restore import Restore, RestoreResult
    from sync.selection import Selection


@make_command(
    click.Option(["--memori"], metavar="N", help="The agent, by name or id."),
    click.Option(["--snapshot", "snapshot_id"], type=ID, metavar="ID", help="Back to this one."),
    click.Option(["--at"], metavar="TIME", help="Back to then: yesterday 18:00, 2h, ISO 8601."),
    click.Option(["--into"], metavar="N", help="Into this agent instead, by name or id."),
    click.Option(["--kind", "kinds"], multiple=True, metavar="K", help="Only this kind."),
    click.Option(["--key", "keys"], multiple=True, metavar="K", help="Only this object."),
    click.Option(["--delete-extra"], is_flag=True, help="Delete what was not there then."),
    click.Option(["--recreate"], is_flag=True, help="Make again what no change can bring back."),
    deletions_option("With --delete-extra: so many of a kind may go."),
    click.Option(["--resume"], type=ID, metavar="ID", help="Go on with this restore."),
    click.Option(["--give-up"], type=ID, metavar="ID", help="Close this restore as it is."),
    click.Option(["--dry-run"], is_flag=True, help="Show the plan and send nothing."),
    click.Option(["--drill"], is_flag=True, help="Rehearse it all in the sandbox."),
    click.Option(["--yes"], is_flag=True, help="Do not ask."),
    name="restore",
    short_help="Bring an agent back to what it was.",
)
def command(
    door: Door,
    memori: str | None,
    snapshot_id: int | None,
    at: str | None,
    into: str | None,
    kinds: tuple[str, ...],
    keys: tuple[str, ...],
    accepted: tuple[tuple[str, int], ...],
    resume: int | None,
    give_up: int | None,
    *,
    delete_extra: bool,
    recreate: bool,
    dry_run: bool,
    drill: bool,
    yes: bool,
) -> Reply:
    """Bring an agent back to its latest usable snapshot, or to another one, or parts of it.

    First the agent is listed anew and the plan is shown: nothing is sent before you agree.
    Missing objects are created again, changed ones are patched, lost files uploaded. Nothing is
    deleted, unless --delete-extra asks for it; uploaded files go only with --kind asset. Afterwards
    everything is listed once more and compared. What cannot come back is named. A restore that was
    cut leaves no duplicate when it is run again, or gone on with.

    TIME is local unless it says otherwise: 2026-11-24, 2026-11-24T18:00, "yesterday 18:00", today,
    now, or 2h for two hours ago. A day is meant to its end.

    --resume goes on with a restore that was cut, under its old id and with all that was asked for
    then. `aisuru-sync status` names those that are not complete. --give-up closes one that nobody
    will go on with: nothing is sent, what it did stays, and prune may forget what it went back to.

    Some changes no call can undo: a field that cannot be emptied or changed, the order of media.
    They are named, unless --recreate is given: then such an object is deleted and created again, if
    nothing belongs or refers to it. It is the same object afterwards, but under a new key.

    --into makes another agent like it: every reference and URL points to what is made there; what
    it has of the same nature already is changed, not doubled. Its settings are taken over only with
    --kind memori, and never the name.

    --drill lists the agent as it is now, rebuilds it in a sandbox on this machine, and does the
    whole restore there: it tells what the restore in earnest would do. Then the agent loses, in the
    sandbox, all that a restore can make, and is restored once more, so that every stored file is
    read. The exit code is 3 if something that is kept could not come back, either time. Nothing is
    sent.

    Exit code 6 means: so much would have been deleted that none of that kind was. If it is right,
    say so with --accept-deletions.
    """
    from sync.cli.giving_up import giving_up
    from sync.cli.progress import progress
    from sync.cli.report import tell_forgotten
    from sync.restore import prepare
    from sync.restore_point import choose_snapshot
    from sync.resume import find_restore
    from sync.selection import Selection, check_selection
    from sync.when import moment

    _check_company()
    app = door.app()
    if give_up is not None:
        return giving_up(app, give_up)
    selection = Selection(
        frozenset(kinds), frozenset(keys), delete_extra, by_kind(accepted), recreate
    )
    with app.reading() as mirror:
        resumed = None if resume is None else find_restore(mirror, resume, selection.accepted)
        if resumed:
            snapshot, selection = resumed.snapshot, resumed.selection
            into = resumed.past.target.remote_id
        else:
            when = None if at is None else moment(at)
            snapshot = choose_snapshot(mirror, memori, snapshot_id, when)
            tell_forgotten(door, mirror.snapshots(), [snapshot], when)
        into = into or snapshot.source.remote_id
        is_copy = into not in (snapshot.source.remote_id, snapshot.source.name)
        check_selection(mirror, app.kinds, snapshot, selection, is_copy=is_copy)
    if not (dry_run or drill or yes or sys.stdin.isatty()):
        raise UsageError("nobody is there to agree to the plan", "add --yes, or --dry-run")
    if drill:
        return _drill(app, snapshot, into, selection)
    with app.restoring("a restore", into) as hands:
        with progress() as watch:
            restore = prepare(hands, snapshot, selection, watch, resumed)
        shown = plan_text(restore, app.kinds)
        if dry_run:
            planned = {**_head(restore), **_plan_json(restore.plan, app.kinds)}
            return Reply(data=planned, text=shown, is_prose=True)
        if resumed and resumed.is_complete and restore.plan.steps:
            raise UsageError(
                f"restore {resume} was complete, and {restore.target.name!r} has changed since:"
                " nothing was sent",
                f"to go back once more: aisuru-sync restore --snapshot {snapshot.id}",
            )
        if not yes and restore.plan.steps:
            door.draw(shown)
            if not click.confirm("Do this?", err=True):
                raise Interrupted("nothing was sent, since you did not agree")
            shown = []
        with progress() as watch:
            result = restore.replay(watch)
    return Reply(
        data=_result_json(restore, result),
        text=[*shown, *_result_text(restore, result)],
        exit_code=result.exit_code,
        is_prose=True,
        trouble=_losses_text(restore, result.remaining.losses),
    )


_NAME = 36
"""How much of a name is shown, in characters; the key of what has none is as long."""
_ALONE = {
    "resume": "it goes on with what was asked for when the restore began",
    "give_up": "it only notes that nobody will go on with the restore",
}
"""Why options that name a restore go with few others."""
_WITH_BOTH = {"as_json", "config_path", "level"}
_WITH = {"resume": {"accepted", "dry_run", "yes", *_WITH_BOTH}, "give_up": _WITH_BOTH}


def _check_company() -> None:
    """Raise `UsageError` if options are given that do not go together."""
    context = click.get_current_context()
    said = {
        each.name: each.opts[0]
        for each in context.command.params
        if context.get_parameter_source(each.name or "") is ParameterSource.COMMANDLINE
    }
    for name, why in _ALONE.items():
        others = [option for other, option in said.items() if other not in (name, *_WITH[name])]
        if name in said and others:
            raise UsageError(f"{said[name]} does not go with {', '.join(others)}", why)
    if context.params["dry_run"] and context.params["drill"]:
        raise UsageError("give either --dry-run or --drill")


def _drill(app: "App", snapshot: "Snapshot", into: str, selection: "Selection") -> Reply:
    from sync.cli.progress import progress
    from sync.drill import drill

    with progress() as watch:
        drilled = drill(app, snapshot, into, selection, watch)
    # Its id is of the copy, and means nothing in the mirror.
    restore, result = drilled.now.restore, replace(drilled.now.result, restore_id=None)
    lost = drilled.all_lost
    whole = lost and replace(lost.result, restore_id=None)
    names = ("steps", "done", "failed", "failures", "not_restorable", "damaged", "verified")
    again = _result_json(lost.restore, whole) if lost and whole else {}
    return Reply(
        data={
            **_result_json(restore, result),
            "drill": True,
            "all_lost": {name: again[name] for name in names} if again else None,
        },
        text=[
            "A drill in the sandbox on this machine:",
            "",
            *plan_text(restore, app.kinds),
            *_result_text(restore, result),
            *(_all_lost_text(lost.restore, whole) if lost and whole else ()),
            "",
            f"Nothing was sent to the remote: {restore.target.name!r} is there as it was.",
        ],
        exit_code=drilled.exit_code,
        is_prose=True,
        trouble=_losses_text(restore, result.remaining.losses),
    )


def _all_lost_text(restore: "Restore", result: "RestoreResult") -> list[str]:
    counts = _counts_text(restore.plan.steps) or "nothing to do"
    head = f"And if all were lost that a restore can make: {counts}"
    return ["", head, *_result_text(restore, result)]


def plan_text(restore: "Restore", kinds: "Mapping[str, Kind]") -> "list[RenderableType]":
    """The plan as a person reads it."""
    snapshot = restore.snapshot
    taken = f"{snapshot.started_at.astimezone():%Y-%m-%d %H:%M}"
    plan = restore.plan
    quality = "" if snapshot.status == "complete" else f", which is {snapshot.status}"
    goal = "back to" if restore.target == snapshot.source else f"as {snapshot.source.name!r} in"
    which = f"restore {restore.resumed.past.id}, " if restore.resumed else ""
    head = f"{which}{restore.target.name!r} {goal} snapshot {snapshot.id} of {taken}{quality}: "
    if not plan.steps:
        text: list[RenderableType] = [head + "nothing to do"]
        if restore.resumed and restore.resumed.is_complete:
            text = [f"{head}it was complete already, and is still"]
    else:
        rows = [_row(kinds[step.ident[0]], step) for step in plan.steps]
        text = [
            head + _counts_text(plan.steps),
            *_undone_text(restore),
            "",
            table("op", "kind", "what", "fields", rows=rows),
        ]
    return [*text, *_ages_text(restore), *_held_text(restore), *_losses_text(restore, plan.losses)]


def _undone_text(restore: "Restore") -> list[str]:
    if restore.undoes is None:
        return []
    past = restore.undoes
    when = f"{past.started_at.astimezone():%Y-%m-%d %H:%M}"
    back_to = f"which went back to snapshot {past.snapshot_id}"
    return [f"This undoes restore {past.id} of {when}, {back_to}."]


def _ages_text(restore: "Restore") -> list[str]:
    """Which kinds are older than the snapshot that was chosen."""
    from sync.cli.report import ages_lines

    lines = ages_lines(restore.ages)
    return ["", *lines] if lines else []


def _held_text(restore: "Restore") -> list[str]:
    lines = [f"  {kind}: {why}" for kind, why in restore.surplus.held.items()]
    return ["", "Nothing is deleted of:", *lines] if lines else []


def plan_summary(restore: "Restore") -> "list[RenderableType]":
    """The plan in numbers, a line for each kind and operation."""
    counts = Counter((step.op, step.ident[0]) for step in restore.plan.steps)
    rows = [(op, kind, count) for (op, kind), count in counts.items()]
    return [table("op", "kind", "objects", rows=rows, right=("objects",))]


def _row(kind: "Kind", step: "Step") -> tuple[str, str, str, str]:
    name = kind.name_of(step.document) or step.ident[1]
    return step.op, kind.name, in_line(name, _NAME), ", ".join(step.fields)


def _called(restore: "Restore", ident: "Ident") -> str:
    """An object as people are told of it: its kind, key and name."""
    return " ".join(filter(None, (*ident, in_line(restore.name_of(ident), _NAME))))


def _losses_text(restore: "Restore", losses: "Iterable[Loss]") -> list[str]:
    lines = [f"  {_called(restore, loss.ident)}: {loss.reason}" for loss in losses]
    return ["", "Cannot come back:", *lines] if lines else []


def _result_text(restore: "Restore", result: "RestoreResult") -> list[str]:
    if not restore.plan.steps and result.verified:
        return []
    lines = [f"{result.done} of {len(restore.plan.steps)} steps done"]
    for each in result.failures:
        called = _called(restore, each.step.ident)
        lines.append(f"  failed: {each.step.op} {called}: {each.reason}")
    for step in result.remaining.steps:
        what = ", ".join(step.fields) or "not there"
        lines.append(f"  differs: {_called(restore, step.ident)}: {what}")
    damaged = (_called(restore, ident) for ident in result.damaged)
    lines += [f"  other bytes than backed up: {each}" for each in damaged]
    verdict = "verified: all that was chosen and can come back is there"
    lines.append(verdict if result.verified else "NOT verified")
    if result.restore_id and not result.verified:
        lines.append(f"to try what is left: aisuru-sync restore --resume {result.restore_id}")
    scopes = (ident for ident in result.remaining.extras if ident[0] not in ("asset", "memori"))
    if newer := len(list(scopes)):
        lines.append(f"not there then, and left as it is: {counted(newer, 'object')}")
    return [*lines, *_losses_text(restore, result.remaining.losses)]


def _counts(steps: "Iterable[Step]") -> dict[str, int]:
    counts = dict.fromkeys(("create", "update", "delete", "upload"), 0)
    for step in steps:
        for op in ("delete", "create") if step.op == "replace" else (step.op,):
            counts[op] += 1
    return counts


def _counts_text(steps: "Iterable[Step]") -> str:
    return ", ".join(f"{count} to {op}" for op, count in _counts(steps).items() if count)


def _head(restore: "Restore") -> dict[str, Any]:
    from sync.cli.report import source_json

    plan = restore.plan
    return {
        "restore_id": restore.resumed and restore.resumed.past.id,
        "snapshot_id": restore.snapshot.id,
        "target": source_json(restore.target),
        "kinds": {
            kind: {"snapshot_id": age.proven and age.proven.id, "lacks": age.why or None}
            for kind, age in restore.ages.items()
        },
        "steps": _counts(plan.steps),
        "held": restore.surplus.held,
        "undoes": restore.undoes and restore.undoes.id,
        "done": 0,
        "failed": 0,
        "not_restorable": _losses_json(plan.losses),
        "verified": not plan.steps,
    }


def _plan_json(plan: "Plan", kinds: "Mapping[str, Kind]") -> dict[str, Any]:
    from sync.history import masked_pairs

    steps = [
        {
            "op": step.op,
            "kind": step.ident[0],
            "key": step.ident[1],
            "fields": masked_pairs(kinds[step.ident[0]], step.fields),
        }
        for step in plan.steps
    ]
    return {"dry_run": True, "plan": steps}


def _result_json(restore: "Restore", result: "RestoreResult") -> dict[str, Any]:
    failures = [
        {"op": each.step.op, "kind": each.step.ident[0], "key": each.step.ident[1],
         "reason": each.reason}
        for each in result.failures
    ]  # fmt: skip
    return {
        **_head(restore),
        "restore_id": result.restore_id,
        "done": result.done,
        "failed": len(failures),
        "failures": failures,
        "not_restorable": _losses_json(result.remaining.losses),
        "damaged": [{"kind": kind, "key": key} for kind, key in result.damaged],
        "verified": result.verified,
    }


def _losses_json(losses: "Iterable[Loss]") -> list[dict[str, str]]:
    return [{"kind": loss.ident[0], "key": loss.ident[1], "reason": loss.reason} for loss in losses]
