"""Making and migrating the database: alembic, run without an ini file from any folder."""

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from sync import shipped
from sync.errors import NoMirror, StorageError


def current_revision(connection: sa.Connection) -> str | None:
    """The revision a database is at, None if it holds no mirror yet."""
    return MigrationContext.configure(connection).get_current_revision()


def check_version(engine: sa.Engine) -> None:
    """Let only a mirror through that this version can read.

    Raises:
        NoMirror: there is none, or it is of another version.
    """
    with engine.connect() as connection:
        found = current_revision(connection)
    script = ScriptDirectory.from_config(alembic_config())
    if found is None:
        raise NoMirror("there is no mirror here yet", "run `aisuru-sync backup` first")
    if found not in {each.revision for each in script.walk_revisions()}:
        raise _too_new(found)
    if found != script.get_current_head():
        raise NoMirror("the mirror is of an older version", "run `aisuru-sync migrate`")


def migrate(engine: sa.Engine) -> tuple[str | None, str | None]:
    """Bring a database to this version, making it if need be.

    Returns:
        The revision before, and the one after.

    Raises:
        NoMirror: the mirror was made by a newer version.
    """
    config = alembic_config()
    with engine.connect() as connection:
        # A batch rewrite of a table would otherwise delete its children (SQLite drops and
        # renames); the pragma does nothing inside a transaction.
        if engine.dialect.name == "sqlite":
            _pragma(connection, "foreign_keys = OFF")
        before = current_revision(connection)
        connection.rollback()
        try:
            with connection.begin():
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
                _check_references(connection)
        except CommandError:
            raise _too_new(before) from None
        after = current_revision(connection)
        connection.rollback()
        if engine.dialect.name == "sqlite":
            _pragma(connection, "foreign_keys = ON")
    return before, after


def _check_references(connection: sa.Connection) -> None:
    """While foreign keys were off, nothing may have lost what it refers to."""
    if connection.dialect.name == "sqlite":
        lost = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if lost:
            raise StorageError(f"the migration would leave {len(lost)} rows without their parent")


def _too_new(revision: str | None) -> NoMirror:
    return NoMirror(
        f"the mirror was made by a newer version (revision {revision})",
        "upgrade aisuru-sync, or point `database` in [storage] elsewhere",
    )


def _pragma(connection: sa.Connection, pragma: str) -> None:
    driver = connection.connection.driver_connection
    if driver is not None:
        driver.execute(f"PRAGMA {pragma}").close()


def alembic_config() -> Config:
    """Alembic's configuration; whoever uses it sets `attributes["connection"]`."""
    config = Config()
    folder = str(shipped("migrations", "migrations"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
