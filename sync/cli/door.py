"""What every command shares: its options, its settings, and how its result is told."""

import functools
import inspect
import json
import os
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import click

from sync.errors import StorageError
from sync.redact import Redactor, printable
from sync.stop import Stop

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sync.app import App
    from sync.config import Config

WIDTH = 80
ID = click.IntRange(1, 2**63 - 1)
"""An id of the mirror's own."""
COUNT = click.IntRange(1, 2**31 - 1)
"""How many of something."""
MEMORI = click.Option(["--memori"], metavar="N", help="Of this agent, by name or id.")
SNAPSHOT = click.Option(
    ["--snapshot", "snapshot_id"], type=ID, metavar="ID", help="As at a snapshot."
)
AT = click.Option(["--at"], metavar="TIME", help="As at this time: yesterday 18:00, 2h, ISO 8601.")
"""Options that several commands have."""


@dataclass(frozen=True)
class Reply:
    """The result of a command.

    Attributes:
        data: for machines: what the JSON document holds after `command` and `exit_code`;
            iterators are told as lists.
        text: for people: lines and tables, shown as they come.
        is_prose: its lines are sentences, which a terminal gets broken to its width.
        trouble: what of it --quiet shows where all went well; None if all of it was asked for.
        then: what goes on after it was told.
    """

    data: Mapping[str, Any]
    text: Iterable["RenderableType"] = ()
    exit_code: int = 0
    is_prose: bool = False
    trouble: Iterable["RenderableType"] | None = None
    then: Callable[[], None] | None = None


@dataclass
class Door:
    """One call of the program."""

    command: str = ""
    config_path: str | None = None
    level: str | None = None
    stop: Stop = field(default_factory=Stop)
    redact: Redactor = field(default_factory=Redactor)
    has_told: bool = False

    def tell(self, text: str) -> None:
        """Say something on stderr, without secrets and without what could move a cursor."""
        click.echo(printable(self.redact(text)), err=True)

    def complain(self, text: str) -> None:
        """Tell what went wrong, as an error to systemd's journal, too."""
        from sync.systemd import is_journal, with_priority

        said = printable(self.redact(text))
        click.echo(with_priority(said, 3) if is_journal() else said, err=True)

    def draw(self, text: Sequence["RenderableType"]) -> None:
        """Show lines and tables on stderr, where questions are asked."""
        for piece in _drawn(text, is_prose=True):
            click.echo(piece, nl=False, err=True)

    def config(self) -> "Config":
        """The settings.

        Raises:
            UsageError: there are none, or they are wrong.
        """
        from sync import config
        from sync.mirror.database import database_secrets

        loaded = config.load(config.find(self.config_path, os.environ), os.environ)
        for secret in database_secrets(loaded.storage.database):
            self.redact.learn(secret)
        return loaded

    def app(self, config: "Config | None" = None, log_format: str = "plain") -> "App":
        """The program for these settings, or for those of the call."""
        from sync import log
        from sync.app import App

        # On a terminal there is the progress to look at.
        level = self.level or ("warning" if sys.stderr.isatty() else "info")
        log.set_up(level, self.redact, log_format)
        return App(config or self.config(), self.stop, self.redact)


def make_command(
    *params: click.Parameter, name: str, short_help: str
) -> Callable[[Callable[..., Reply]], click.Command]:
    """Make a command of a function that takes the `Door` and returns a `Reply`.

    Args:
        params: its own arguments and options; they are named as the function names them.
        name: of the command.
        short_help: for the list of commands.
    """

    def decorate(function: Callable[..., Reply]) -> click.Command:
        @functools.wraps(function)
        def call(*, as_json: bool, **values: Any) -> int:
            context = click.get_current_context()
            door: Door = context.obj
            door.command = context.command_path.partition(" ")[2]
            door.config_path = values.pop("config_path") or door.config_path
            door.level = values.pop("level") or door.level
            reply = function(door, **values)
            _tell(door, reply, as_json=as_json)
            if reply.then:
                reply.then()
            return reply.exit_code

        return click.Command(
            name,
            callback=call,
            params=[*params, *_SHARED],
            help=inspect.getdoc(function),
            short_help=short_help,
        )

    return decorate


_QUIET = "warning"
_SHARED = (
    click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document."),
    click.Option(["--config", "config_path"], metavar="PATH", help="The configuration to use."),
    click.Option(["-v", "--verbose", "level"], flag_value="debug", help="Log more."),
    click.Option(
        ["-q", "--quiet", "level"],
        flag_value=_QUIET,
        help="Tell only trouble, and what was asked for.",
    ),
)


def _tell(door: Door, reply: Reply, *, as_json: bool) -> None:
    try:
        if as_json:
            head = {"command": door.command, "exit_code": reply.exit_code}
            print_json({**head, **reply.data})
        else:
            shown = reply.text
            if reply.trouble is not None and door.level == _QUIET and not reply.exit_code:
                shown = reply.trouble
            for piece in _drawn(shown, is_prose=reply.is_prose):
                click.echo(piece, nl=False)
        sys.stdout.flush()
        door.has_told = True
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        # Whoever closes a pipe has read enough; what was asked for is done all the same.
        if not isinstance(error, BrokenPipeError):
            raise StorageError(f"cannot write the result: {error.strerror}") from None


def _drawn(text: Iterable["RenderableType"], *, is_prose: bool) -> Iterator[str]:
    from rich.console import Console

    is_terminal = sys.stdout.isatty()
    # Whatever the environment says: no escapes into a pipe.
    console = Console(
        force_terminal=is_terminal,
        width=None if is_terminal else _columns(),
        highlight=False,
        markup=False,
        emoji=False,
    )
    for each in text:
        with console.capture() as capture:
            if isinstance(each, str):
                # What is copied or searched for must not be broken into lines.
                lines = printable(each).split("\n")
                if is_prose and is_terminal:
                    lines = [_broken(line, console.width) for line in lines]
                console.print("\n".join(lines), soft_wrap=True)
            else:
                console.print(each)
        yield capture.get()


def _broken(line: str, width: int) -> str:
    """A sentence in lines of a width, all but the first indented; words stay whole."""
    indent = line[: len(line) - len(line.lstrip())] + "    "
    lines = textwrap.wrap(
        line, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines)


def _columns() -> int:
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdecimal() and int(columns) else WIDTH


def print_json(document: Mapping[str, Any]) -> None:
    """Print the one JSON document of a command."""
    click.echo(json.dumps(document, ensure_ascii=False, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, Iterator):
        return list(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def table(
    *columns: str, rows: Sequence[Sequence[Any]], right: Sequence[str] = ()
) -> "RenderableType":
    """A table that fits a terminal.

    Args:
        columns: the headings.
        rows: the cells.
        right: the headings whose cells are numbers.
    """
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left")
    for row in rows:
        made.add_row(*("" if cell is None else printable(str(cell)) for cell in row))
    return made
