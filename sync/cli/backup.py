"""`aisuru-sync backup`: one run, now."""

from dataclasses import replace

import click

from sync.cli.deletions import by_kind, deletions_option
from sync.cli.door import Door, Reply, make_command


@make_command(
    click.Option(["--memori", "memoris"], multiple=True, metavar="N", help="Only this agent."),
    click.Option(["--kind", "kinds"], multiple=True, metavar="K", help="Only this kind."),
    deletions_option("Believe that so many of a kind are gone."),
    name="backup",
    short_help="Mirror the account and its agents, once.",
)
def command(
    door: Door,
    memoris: tuple[str, ...],
    kinds: tuple[str, ...],
    accepted: tuple[tuple[str, int], ...],
) -> Reply:
    """Mirror the account and its agents, once.

    Agents are named by name or id; --memori and --kind can be given several times. The first run
    makes the database. Exit code 3 means: partial, what was seen is kept and marked.

    Exit code 6 means: so much was gone that none of it was taken for deleted. If it is right, say
    so with --accept-deletions; the number must be the one that you were told, and is of one agent.
    """
    from sync.backup import backup
    from sync.cli.progress import progress
    from sync.cli.report import (
        errors_of,
        gone_from,
        run_table,
        snapshot_json,
        source_json,
        troubles_of,
    )
    from sync.mirror.values import Reason

    app = door.app()
    means, wishes = app.means, app.wishes(memoris, kinds, Reason.MANUAL)
    wishes = replace(wishes, accept_deletions=by_kind(accepted))
    with app.writing("a backup") as mirror, app.account() as account, progress() as watch:
        result = backup(account, mirror, app.store, app.kinds, means, wishes, watch)
    troubles = troubles_of(result.file_troubles)
    gone = gone_from(result.gone)
    table = [run_table(result.snapshots), *errors_of(result.snapshots), *troubles, *gone]
    shown = [snapshot_json(each, kinds=True) for each in result.snapshots]
    return Reply(
        data={
            "run_id": result.run_id,
            "snapshots": shown,
            "file_troubles": list(map(vars, result.file_troubles)),
            "gone": list(map(source_json, result.gone)),
        },
        text=table,
        exit_code=result.exit_code,
        is_prose=True,
        trouble=gone,
    )
