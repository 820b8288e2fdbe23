"""How sources and snapshots are told: as JSON (design 9), as tables and in lines."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sync.cli.door import Door, table
from sync.fetch import FAILED
from sync.kind import Kind
from sync.mirror.values import KindResult, Snapshot, Source, Status
from sync.outcome import FileTrouble
from sync.restore_point import Age, forgotten_since
from sync.when import local
from sync.wording import counted

if TYPE_CHECKING:
    from rich.console import RenderableType


_SOME = 5
"""How many ids of snapshots are worth reading."""


def source_json(source: Source) -> dict[str, Any]:
    """A source, as every JSON document names it."""
    return {"scope": source.scope, "name": source.name, "remote_id": source.remote_id}


def snapshot_json(snapshot: Snapshot, *, kinds: bool) -> dict[str, Any]:
    """A snapshot, with or without its kinds."""
    document = {
        "id": snapshot.id,
        "run_id": snapshot.run_id,
        "source": source_json(snapshot.source),
        "started_at": snapshot.started_at,
        "finished_at": snapshot.finished_at,
        "status": snapshot.status,
        "reason": snapshot.reason,
        "error": snapshot.error,
    }
    if kinds:
        document["kinds"] = {name: _kind_json(each) for name, each in snapshot.kinds.items()}
    return {**document, "files": vars(snapshot.files)}


def _kind_json(result: KindResult) -> dict[str, Any]:
    return {"status": result.status, **vars(result.tally), "error": result.error}


def run_table(snapshots: Iterable[Snapshot]) -> "RenderableType":
    """What a run brought, a line for each source and kind."""
    numbers = ("listed", "new", "changed", "gone")
    rows: list[tuple[Any, ...]] = []
    for snapshot in snapshots:
        lines: list[tuple[Any, ...]] = []
        for kind, result in snapshot.kinds.items():
            tally = result.tally
            counts = (tally.listed, tally.created, tally.updated, tally.deleted)
            # Most agents have nothing of many kinds, and nobody asks.
            if any(counts) or result.status is not Status.COMPLETE:
                lines.append((kind, result.status, *counts))
        files = snapshot.files
        if files.referenced:
            troubles = [f"{n} {what}" for what, n in _troubles(snapshot) if n]
            status = ", ".join(troubles) or Status.COMPLETE
            lines.append(("(files)", status, files.referenced, files.downloaded))
        first, *rest = lines or [("", snapshot.status)]
        rows += [(snapshot.source.name, *first), *(("", *each) for each in rest)]
    return table("source", "kind", "status", *numbers, rows=rows, right=numbers)


WITHOUT = "to go on without a file that can never be had: `without_files` in [backup]"
"""What the owner can do about a file that fails each time."""

_REASONS = {
    "missing": ("is not there on the remote", "are not there on the remote"),
    "failed": ("could not be fetched", "could not be fetched"),
    "left out": ("is left out, as the settings say", "are left out, as the settings say"),
}


def errors_of(snapshots: Iterable[Snapshot]) -> list[str]:
    """Why snapshots are not complete, a line for each reason."""
    lines = []
    for snapshot in snapshots:
        where = f"snapshot {snapshot.id} of {snapshot.source.name}"
        reasons: dict[str, list[str]] = {}
        for kind, each in snapshot.kinds.items():
            if each.error:
                reasons.setdefault(each.error, []).append(kind)
        lines += [f"{where}, {' and '.join(kinds)}: {why}" for why, kinds in reasons.items()]
        for trouble, number in _troubles(snapshot):
            if number:
                lines.append(f"{where}: {counted(number, 'file')} {_REASONS[trouble][number > 1]}")
        if snapshot.error:
            lines.append(f"{where}: {snapshot.error}")
    return lines


def troubles_of(troubles: Iterable[FileTrouble]) -> list[str]:
    """Which files could not be had, and why, a line each, and what to do about it."""
    lines, can_go_on = [], False
    for each in troubles:
        can_go_on |= each.outcome == FAILED
        outcome = each.outcome.replace("_", " ")
        lines.append(f"{outcome}: {each.key} of {each.source}: {each.why}")
    return [*lines, WITHOUT] if can_go_on else lines


def gone_from(sources: Iterable[Source]) -> list[str]:
    """Which agents a run proved to be gone, a line each."""
    return [
        f"{each.name} ({each.remote_id}) is gone from the account; what it held stays here"
        for each in sources
    ]


def limits_of(snapshots: Iterable[Snapshot], kinds: Mapping[str, Kind]) -> list[str]:
    """Which snapshots looked at some kinds only, a line for all that looked at the same."""
    alike: dict[tuple[str, str], list[str]] = {}
    for each in snapshots:
        of_scope = (kind for kind in kinds.values() if kind.scope is each.source.scope)
        usual = {kind.name for kind in of_scope if not kind.is_personal}
        if each.status is Status.COMPLETE and not usual <= each.kinds.keys():
            seen = ", ".join(each.kinds) or "nothing"
            alike.setdefault((each.source.name, seen), []).append(str(each.id))
    return [
        f"snapshot {', '.join(ids)} of {name} looked only at {seen}"
        for (name, seen), ids in alike.items()
    ]


def ages_lines(ages: Mapping[str, Age]) -> list[str]:
    """Which kinds are older than the snapshot that was chosen, a line each."""
    lines = []
    for kind, age in ages.items():
        if age.why and age.proven:
            taken = local(age.proven.started_at)
            lines.append(f"{kind} is as of snapshot {age.proven.id} of {taken}: {age.why}")
        elif age.why:
            lines.append(f"{kind} was never seen whole: {age.why}")
    return lines


def tell_forgotten(
    door: Door, snapshots: Sequence[Snapshot], chosen: Iterable[Snapshot], at: datetime | None
) -> None:
    """Tell where a prune forgot what was nearer to the time that was asked for, if one was.

    Args:
        door: to tell it at, on stderr.
        snapshots: all that there are.
        chosen: those that were taken for that time.
        at: the time.
    """
    for each in chosen if at else ():
        if at and (nearer := forgotten_since(snapshots, each, at)):
            ids = ", ".join(str(one.id) for one in nearer[-_SOME:])
            ids = f"{len(nearer)}, the last {ids}" if len(nearer) > _SOME else ids
            taken = f"snapshot {each.id} of {local(each.started_at)}"
            name = each.source.name
            door.tell(f"note: {name} is taken as of {taken}; nearer ones were forgotten: {ids}")


def snapshots_table(snapshots: Iterable[Snapshot]) -> "RenderableType":
    """All snapshots, a line each."""
    rows = [
        (
            each.id,
            each.source.name,
            local(each.started_at),
            each.status,
            each.reason,
            sum(result.tally.listed for result in each.kinds.values()),
            sum(_changed(result) for result in each.kinds.values()),
        )
        for each in snapshots
    ]
    right = ("id", "objects", "changes")
    columns = ("id", "source", "started", "status", "reason", "objects", "changes")
    return table(*columns, rows=rows, right=right)


def _changed(result: KindResult) -> int:
    return result.tally.created + result.tally.updated + result.tally.deleted


def _troubles(snapshot: Snapshot) -> tuple[tuple[str, int], ...]:
    files = snapshot.files
    return (("missing", files.missing), ("failed", files.failed), ("left out", files.left_out))
