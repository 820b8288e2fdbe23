"""`aisuru-sync backup`: one run, now."""

from dataclasses import replace

import click

from sync.cli.door import Door, Reply
from sync.cli.door import command as make_command
from sync.errors import UsageError


class Deletions(click.ParamType[tuple[str, int]]):
    """`KIND=N`: deletions of a kind that are right, and their number."""

    name = "deletions"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Read the kind and the number."""
        kind, _, number = value.partition("=")
        if not kind or not (number.isascii() and number.isdigit()):
            self.fail(f"{value!r} is not KIND=N, for example person=40", param, ctx)
        return kind, int(number)


@make_command(
    click.Option(["--memori", "memoris"], multiple=True, metavar="N", help="Only this agent."),
    click.Option(["--kind", "kinds"], multiple=True, metavar="K", help="Only this kind."),
    click.Option(
        ["--accept-deletions", "accepted"],
        type=Deletions(),
        multiple=True,
        metavar="KIND=N",
        help="Believe that so many of a kind are gone.",
    ),
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
    from sync.cli.report import errors_of, run_table, snapshot_json

    app = door.app()
    with app.writing("a backup") as mirror, app.account() as account, progress() as watch:
        if len(dict(accepted)) < len(accepted):
            raise UsageError("--accept-deletions is given twice for a kind", "give it once a kind")
        wishes = replace(app.wishes(memoris, kinds, "manual"), accept_deletions=dict(accepted))
        result = backup(account, mirror, app.store, app.kinds, wishes, watch)
    table = [run_table(result.snapshots), *errors_of(result.snapshots)]
    is_silent = door.level == "warning" and result.exit_code == 0
    shown = [snapshot_json(each, kinds=True) for each in result.snapshots]
    return Reply(
        data={"run_id": result.run_id, "snapshots": shown},
        text=[] if is_silent else table,
        exit_code=result.exit_code,
    )
