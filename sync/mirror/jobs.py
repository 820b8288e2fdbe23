"""What the service did when: so that a restart, or a crash, forgets nothing that is due."""

from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa

from sync.mirror.database import writing
from sync.mirror.mirror import Mirror
from sync.mirror.values import storable_error

_KEPT = 1000
"""How many of each name are remembered."""


@dataclass(frozen=True)
class JobRun:
    """One job that the service began.

    Attributes:
        name: of what was done.
        exit_code: None while it runs, and for ever if the process died meanwhile.
        failures: how many in a row went wrong up to this one; a death is a failure.
    """

    name: str
    started_at: datetime
    finished_at: datetime | None
    exit_code: int | None
    error: str | None
    failures: int


def begin(mirror: Mirror, name: str) -> int:
    """Note a job that begins, and forget what is long past of its name; returns its id."""
    job = mirror.tables.job
    values = {"name": name, "started_at": datetime.now(UTC)}
    mine = sa.select(job.c.id).where(job.c.name == name).order_by(job.c.id.desc())
    past = sa.delete(job).where(
        job.c.name == name, job.c.id <= mine.offset(_KEPT - 1).limit(1).scalar_subquery()
    )
    with mirror.engine.connect() as connection, writing(connection):
        connection.execute(past)
        return int(
            connection.execute(sa.insert(job).values(values).returning(job.c.id)).scalar_one()
        )


def end(mirror: Mirror, job_id: int, exit_code: int, error: str | None) -> None:
    """Note how a job ended."""
    job = mirror.tables.job
    values = {
        "finished_at": datetime.now(UTC),
        "exit_code": exit_code,
        "error": storable_error(error),
    }
    with mirror.engine.connect() as connection, writing(connection):
        connection.execute(sa.update(job).where(job.c.id == job_id).values(values))


def withdraw(mirror: Mirror, job_id: int) -> None:
    """Forget a job that could not begin."""
    job = mirror.tables.job
    with mirror.engine.connect() as connection, writing(connection):
        connection.execute(sa.delete(job).where(job.c.id == job_id))


def last_runs(mirror: Mirror) -> dict[str, JobRun]:
    """{name: the last run} of everything that was ever done."""
    job = mirror.tables.job
    last = sa.select(sa.func.max(job.c.id)).group_by(job.c.name)
    good = (
        sa.select(job.c.name, sa.func.max(job.c.id).label("id"))
        .where(job.c.exit_code == 0)
        .group_by(job.c.name)
        .subquery()
    )
    later = job.alias()
    failures = (
        sa.select(sa.func.count())
        .select_from(later.outerjoin(good, good.c.name == later.c.name))
        .where(later.c.name == job.c.name, later.c.id > sa.func.coalesce(good.c.id, 0))
        .correlate(job)
        .scalar_subquery()
    )
    query = sa.select(job, failures.label("failures")).where(job.c.id.in_(last))
    with mirror.engine.connect() as connection:
        return {
            row.name: JobRun(
                name=row.name,
                started_at=row.started_at,
                finished_at=row.finished_at,
                exit_code=row.exit_code,
                error=row.error,
                failures=row.failures,
            )
            for row in connection.execute(query)
        }
