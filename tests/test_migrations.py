"""Migrations: one history for both databases, whole or not at all."""

import made_once
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from workplace import empty_database

from sync.errors import NoMirror
from sync.kinds import KINDS
from sync.mirror import schema
from sync.mirror.mirror import Mirror

NEWEST = schema.revisions()[-1]


@pytest.fixture
def mirror(database):
    empty_database(database)
    mirror = Mirror(database, KINDS)
    yield mirror
    mirror.close()


def with_alembic(mirror: Mirror, call, *args):
    config = schema.alembic_config()
    with mirror.engine.begin() as connection:
        config.attributes["connection"] = connection
        call(config, *args)


@pytest.fixture(autouse=True)
def _really_migrated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "_upgrade", made_once.UPGRADE)


def test_an_empty_database_is_brought_to_the_newest_revision_and_stays_there(mirror):
    for _ in range(2):
        mirror.migrate()
        with mirror.engine.connect() as connection:
            assert schema.current_revision(connection) == NEWEST
    mirror.check_version()


def test_the_tables_are_those_that_the_kinds_ask_for(mirror):
    mirror.migrate()
    with_alembic(mirror, command.check)


def test_what_is_known_without_alembic_is_what_alembic_knows():
    script = ScriptDirectory.from_config(schema.alembic_config())
    known = [each.revision for each in script.walk_revisions()]
    assert schema.revisions() == list(reversed(known))
    assert schema.revisions()[-1] == script.get_current_head()


def test_a_downgrade_leaves_nothing_behind(mirror):
    mirror.migrate()
    with_alembic(mirror, command.downgrade, "base")
    assert sa.inspect(mirror.engine).get_table_names() == ["alembic_version"]


def test_a_reader_is_told_that_there_is_no_mirror_yet(mirror):
    with pytest.raises(NoMirror, match="no mirror here yet"):
        mirror.check_version()


def test_a_mirror_of_a_newer_version_is_refused_and_left_alone(mirror):
    mirror.migrate()
    with mirror.engine.begin() as connection:
        connection.execute(sa.text("update alembic_version set version_num = '9999'"))
    for call in (mirror.migrate, mirror.check_version):
        with pytest.raises(NoMirror, match="newer version"):
            call()


def test_a_migration_that_fails_leaves_no_table_behind(mirror, monkeypatch):
    real = Operations.create_index

    def fail(self, *args, **kwargs):
        raise RuntimeError("the power went out")

    monkeypatch.setattr("alembic.operations.batch.BatchOperationsImpl.create_index", fail)
    with pytest.raises(RuntimeError):
        mirror.migrate()
    assert real is Operations.create_index
    assert sa.inspect(mirror.engine).get_table_names() == []


def test_children_survive_a_rewrite_of_their_parents_table(mirror, monkeypatch):
    """SQLite rewrites a table by drop and rename, which deletes children if foreign keys are on."""
    mirror.migrate()
    with mirror.engine.begin() as connection:
        connection.execute(sa.text("create table parent (id integer primary key, a text)"))
        connection.execute(
            sa.text(
                "create table child (id integer primary key,"
                " parent_id integer references parent (id) on delete cascade)"
            )
        )
        connection.execute(sa.text("insert into parent values (1, 'x')"))
        connection.execute(sa.text("insert into child values (1, 1)"))

    def rewrite(config, _):
        context = MigrationContext.configure(
            config.attributes["connection"], opts={"render_as_batch": True}
        )
        recreate = "always" if mirror.engine.dialect.name == "sqlite" else "auto"
        with Operations(context).batch_alter_table("parent", recreate=recreate) as batch:
            batch.alter_column("a", new_column_name="b")

    monkeypatch.setattr(command, "upgrade", rewrite)
    mirror.migrate()

    with mirror.engine.connect() as connection:
        assert connection.execute(sa.text("select count(*) from child")).scalar() == 1
        if mirror.engine.dialect.name == "sqlite":
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
