"""Reading history against itself: what snapshots counted, and how versions follow each other.

A row that is taken out of `change` leaves nothing that could be wrong with it. But a snapshot notes
in the same transaction how many changes it wrote, and versions of an object form a chain. What a
prune forgot is missing from both: a forgotten snapshot may have fewer changes than it wrote, and a
chain a gap where all snapshots are forgotten.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from sync.change import CREATED, DELETED, UPDATED
from sync.kinds.file import FILE
from sync.mirror.database import BATCH
from sync.mirror.mirror import Mirror
from sync.mirror.values import Status
from sync.wording import counted

_OPS = (CREATED, UPDATED, DELETED)
_OF_KINDS = (Status.COMPLETE, Status.INCOMPLETE, Status.FAILED)

Finding = tuple[str, str, str]
"""What is wrong with a snapshot: kind, which snapshot, problem."""


def bad_statuses(mirror: Mirror) -> Iterator[Finding]:
    """Snapshots whose outcome is none that there is."""
    snapshot, listed = mirror.tables.snapshot, mirror.tables.snapshot_kind
    unknown = sa.select(snapshot.c.id, snapshot.c.status).where(snapshot.c.status.not_in([*Status]))
    of_kinds = sa.select(listed.c.snapshot_id, listed.c.status, listed.c.kind).where(
        listed.c.status.not_in(_OF_KINDS)
    )
    for row in _stream(mirror, unknown):
        yield "database", f"snapshot {row.id}", f"its status is {str(row.status)!r}"
    for row in _stream(mirror, of_kinds):
        yield row.kind, f"snapshot {row.snapshot_id}", f"its status is {str(row.status)!r}"


def miscounts(mirror: Mirror) -> Iterator[Finding]:
    """Snapshots that counted other changes of a kind than history has of them."""
    change, listed = mirror.tables.change, mirror.tables.snapshot_kind
    snapshot = mirror.tables.snapshot
    found = (
        sa.select(
            change.c.snapshot_id,
            change.c.kind,
            *(sa.func.sum(sa.case((change.c.op == op, 1), else_=0)).label(op) for op in _OPS),
        )
        # Files are not listed: what is noted of them is another number.
        .where(change.c.kind != FILE.name)
        .group_by(change.c.snapshot_id, change.c.kind)
        .subquery()
    )
    same = sa.and_(found.c.snapshot_id == listed.c.snapshot_id, found.c.kind == listed.c.kind)
    has = [sa.func.coalesce(found.c[op], 0).label(f"has_{op}") for op in _OPS]
    noted = [listed.c[op] for op in _OPS]
    pairs = list(zip(noted, has, strict=True))
    is_wrong = sa.case(
        (snapshot.c.status == Status.FORGOTTEN, sa.or_(*(told < there for told, there in pairs))),
        else_=sa.or_(*(told != there for told, there in pairs)),
    )
    differing = (
        sa.select(listed.c.snapshot_id, listed.c.kind, *noted, *has)
        .select_from(
            listed.outerjoin(found, same).outerjoin(snapshot, snapshot.c.id == listed.c.snapshot_id)
        )
        .where(is_wrong)
    )
    for row in _stream(mirror, differing):
        told = ", ".join(map(_number, _OPS, row[2:5]))
        there = ", ".join(map(_number, _OPS, row[5:]))
        problem = f"it counted {told}; history has {there}"
        yield row.kind, f"snapshot {row.snapshot_id}", problem
    unnoted = (
        sa.select(found.c.snapshot_id, found.c.kind)
        .select_from(found.outerjoin(listed, same))
        .where(listed.c.kind.is_(None))
    )
    for row in _stream(mirror, unnoted):
        yield row.kind, f"snapshot {row.snapshot_id}", "what it counted is not there"


def lost_files(mirror: Mirror) -> Iterator[Finding]:
    """Snapshots of which history has fewer files than they saw."""
    change, snapshot = mirror.tables.change, mirror.tables.snapshot
    is_there = (change.c.kind == FILE.name, change.c.op != DELETED)
    moves: dict[tuple[int, int], Counter[str]] = {}
    for name, column in (("begun", change.c.snapshot_id), ("ended", change.c.superseded_in)):
        query = (
            sa.select(change.c.source_id, column, sa.func.count())
            .where(*is_there, column.is_not(None))
            .group_by(change.c.source_id, column)
        )
        for row in _stream(mirror, query):
            source_id, snapshot_id, number = tuple(row)
            moves.setdefault((source_id, snapshot_id), Counter())[name] = number
    held: Counter[int] = Counter()
    # Asked last: whatever is gone by then of a snapshot, it was marked before.
    every = sa.select(
        snapshot.c.id, snapshot.c.source_id, snapshot.c.files_referenced, snapshot.c.status
    )
    for row in _stream(mirror, every.order_by(snapshot.c.id)):
        move = moves.get((row.source_id, row.id), Counter())
        held[row.source_id] += move["begun"] - move["ended"]
        there = held[row.source_id]
        if there < row.files_referenced and row.status != Status.FORGOTTEN:
            problem = f"it saw {counted(row.files_referenced, 'file')}; history has {there}"
            yield FILE.name, f"snapshot {row.id}", problem


def broken_chains(mirror: Mirror) -> Iterator[tuple[str, int, str, str]]:
    """Objects whose versions do not follow each other: (kind, source id, key, problem)."""
    change, snapshot = mirror.tables.change, mirror.tables.snapshot
    of_object = (change.c.source_id, change.c.kind, change.c.key)
    following = sa.func.lead(change.c.snapshot_id)
    before, before_ended = sa.func.lag(change.c.op), sa.func.lag(change.c.superseded_in)

    def beside(what: sa.Function[Any], name: str) -> sa.Label[Any]:
        return what.over(partition_by=of_object, order_by=change.c.snapshot_id).label(name)

    versions = (
        sa.select(
            change.c.kind,
            change.c.source_id,
            change.c.key,
            change.c.op,
            change.c.snapshot_id,
            change.c.superseded_in,
            snapshot.c.source_id.label("seen_in"),
            beside(following, "next"),
            beside(before, "before"),
            beside(before_ended, "before_ended"),
        )
        .select_from(change.outerjoin(snapshot, snapshot.c.id == change.c.snapshot_id))
        .subquery()
    )
    was_there = sa.func.coalesce(versions.c.before, DELETED) != DELETED
    fits = sa.or_(
        sa.and_(versions.c.op == CREATED, ~was_there),
        sa.and_(versions.c.op.in_([UPDATED, DELETED]), was_there),
        # What it followed may be forgotten.
        sa.and_(
            versions.c.op.in_(_OPS),
            versions.c.before_ended.is_distinct_from(versions.c.snapshot_id),
            _is_forgotten(snapshot, versions),
        ),
    )
    is_gap = sa.and_(
        versions.c.superseded_in.is_distinct_from(versions.c.next),
        ~sa.func.coalesce(
            sa.and_(
                versions.c.superseded_in < versions.c.next,
                ~_is_any_kept(snapshot, versions),
            ),
            sa.false(),
        ),
    )
    problems = {
        "its history has a gap, or does not end": is_gap,
        "a version of it in history cannot follow the one before": ~fits,
        "a version of it in history is of another source": versions.c.seen_in.is_distinct_from(
            versions.c.source_id
        ),
    }
    wrong = sa.case(*((condition, problem) for problem, condition in problems.items()))
    query = sa.select(
        versions.c.kind, versions.c.source_id, versions.c.key, wrong.label("problem")
    ).where(sa.or_(*problems.values()))
    for row in _stream(mirror, query):
        yield row.kind, row.source_id, row.key, row.problem


def _is_forgotten(snapshot: sa.Table, versions: sa.Subquery) -> sa.ColumnElement[bool]:
    """Is the last snapshot of a source forgotten that there was before a version?"""
    status = (
        sa.select(snapshot.c.status)
        .where(snapshot.c.source_id == versions.c.source_id)
        .where(snapshot.c.id < versions.c.snapshot_id)
        .order_by(snapshot.c.id.desc())
        .limit(1)
    )
    return sa.func.coalesce(status.scalar_subquery() == Status.FORGOTTEN, sa.false())


def _is_any_kept(snapshot: sa.Table, versions: sa.Subquery) -> sa.ColumnElement[bool]:
    """Is any snapshot kept from the end of a version until the next one that is left?"""
    return sa.exists().where(
        snapshot.c.source_id == versions.c.source_id,
        snapshot.c.id >= versions.c.superseded_in,
        snapshot.c.id < versions.c.next,
        snapshot.c.status != Status.FORGOTTEN,
    )


def _number(op: str, number: int) -> str:
    return f"{number} {op}"


def _stream(mirror: Mirror, query: sa.Select[Any]) -> Iterator[sa.Row[Any]]:
    with mirror.engine.connect().execution_options(yield_per=BATCH) as connection:
        yield from connection.execute(query)
