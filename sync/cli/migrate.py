"""`aisuru-sync migrate`: make or upgrade the database, and nothing else."""

from sync.cli.door import Door, Reply, make_command


@make_command(name="migrate", short_help="Make or upgrade the database.")
def command(door: Door) -> Reply:
    """Make the database, or upgrade it to this version; `backup` does so by itself."""
    from sync.mirror.schema import current_revision

    with door.app().writing("a migration") as mirror, mirror.engine.connect() as connection:
        revision = current_revision(connection)
    text = [f"the database is at revision {revision}"]
    return Reply(data={"revision": revision}, text=text, trouble=())
