"""Making and migrating the database: alembic, run without an ini file from any folder.

Most runs find the database as it should be. That is asked first, without alembic, whose import
takes longer than many a backup.
"""

import io
from typing import TYPE_CHECKING

import sqlalchemy as sa

from sync import shipped
from sync.errors import NoMirror, StorageError
from sync.mirror.database import pragma

if TYPE_CHECKING:
    from alembic.config import Config

_VERSION = sa.table("alembic_version", sa.column("version_num", sa.Text))


def revisions() -> list[str]:
    """The revisions that this version knows, oldest first: the numbers of its migrations."""
    files = (shipped("migrations", "migrations") / "versions").glob("[0-9]*.py")
    return sorted(path.name.partition("_")[0] for path in files)


def current_revision(connection: sa.Connection) -> str | None:
    """The revision a database is at, None if it holds no mirror yet."""
    if not sa.inspect(connection).has_table(_VERSION.name):
        return None
    return connection.execute(sa.select(_VERSION.c.version_num)).scalar()


def check_version(engine: sa.Engine) -> None:
    """Let only a mirror through that this version can read.

    Raises:
        NoMirror: there is none, or it is of another version.
    """
    with engine.connect() as connection:
        found = current_revision(connection)
    known = revisions()
    if found is None:
        raise NoMirror("there is no mirror here yet", "run `aisuru-sync backup` first")
    if found not in known:
        raise _too_new(found)
    if found != known[-1]:
        raise NoMirror("the mirror is of an older version", "run `aisuru-sync migrate`")


def migrate(engine: sa.Engine) -> None:
    """Bring a database to this version, making it if need be.

    Raises:
        NoMirror: the mirror was made by a newer version.
    """
    with engine.connect() as connection:
        found = current_revision(connection)
    known = revisions()
    if found is not None and found not in known:
        raise _too_new(found)
    if found != known[-1]:
        _upgrade(engine)


def _upgrade(engine: sa.Engine) -> None:
    from alembic import command

    config = alembic_config()
    with engine.connect() as connection:
        # A batch rewrite of a table would otherwise delete its children (SQLite drops and
        # renames); the pragma does nothing inside a transaction.
        if engine.dialect.name == "sqlite":
            pragma(connection, "foreign_keys = OFF")
        with connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            _check_references(connection)
        if engine.dialect.name == "sqlite":
            pragma(connection, "foreign_keys = ON")


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


def alembic_config() -> "Config":
    """Alembic's configuration; whoever uses it sets `attributes["connection"]`."""
    from alembic.config import Config

    # Whatever alembic prints is no result of ours.
    config = Config(stdout=io.StringIO())
    folder = str(shipped("migrations", "migrations"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config
