"""The command line: thin doors to the jobs. Commands are loaded when they are called.

Here is the one place where errors become exit codes, messages and JSON, and where signals are
taken. Nothing heavier than click is imported before a command runs.
"""

import importlib
import io
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import click

from sync import __version__
from sync.cli.door import Door, print_json
from sync.errors import Interrupted, SyncError, UsageError, worst
from sync.stop import heard

_COMMANDS = (
    "demo",
    "config",
    "backup",
    "restore",
    "snapshots",
    "log",
    "diff",
    "show",
    "status",
    "check",
    "repair",
    "export",
    "prune",
    "daemon",
    "kinds",
    "migrate",
    "sandbox",
)


class _Commands(click.Group):
    """Finds each command in the module of its name."""

    def list_commands(self, _: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, _: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"sync.cli.{cmd_name}")
        command: click.Command = module.command
        return command


@click.command(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 complete, 2 usage or configuration, 3 partial, 4 damage found, 5 remote "
    "unavailable, 6 too much gone to believe, 7 too old, 8 disk or database, 10 no usable mirror, "
    "11 locked, 12 credentials, 20 differences found, 130/143 interrupted, 1 a bug.",
)
@click.version_option(__version__, message="%(version)s")
@click.option("--config", "config_path", metavar="PATH", help="The configuration to use.")
@click.pass_obj
def cli(door: Door, config_path: str | None) -> None:
    """Back up AIsuru agents into SQL and files, with history, and bring them back.

    Try it without an account: aisuru-sync demo
    """
    door.config_path = config_path


def main(args: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    # Whoever closed them wants to hear nothing, and no file shall take their place.
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    sys.exit(run(sys.argv[1:] if args is None else args))


def run(args: Sequence[str]) -> int:
    """Run one command; whatever happens becomes an exit code.

    Args:
        args: the command line without the program's name.

    Returns:
        The exit code of design 9.
    """
    door = Door()
    signals: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        signals.append(number)
        door.stop.ask(number)

    for stream in (sys.stdout, sys.stderr):
        # A text that the terminal cannot show is shown as escapes, not as an error.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    before = {each: signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        for each in before:
            signal.signal(each, stop)
        with heard(door.stop):
            return _run(door, list(args), signals)
    except (Interrupted, KeyboardInterrupt):
        # It struck before the command began, or after it had ended.
        return door.stop.exit_code
    finally:
        for each, handler in before.items():
            signal.signal(each, handler)


def _run(door: Door, args: list[str], signals: list[int]) -> int:
    try:
        return int(cli.main(args, "aisuru-sync", standalone_mode=False, obj=door) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return UsageError.exit_code
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "aisuru-sync"
        door.command = path.partition(" ")[2]
        failure: SyncError = UsageError(error.format_message(), f"see: {path} --help")
    except SyncError as error:
        failure = error
    except (KeyboardInterrupt, click.Abort):
        failure = Interrupted("stopped at once")
    except Exception:  # noqa: BLE001 - the outermost door
        door.complain(traceback.format_exc())
        failure = SyncError("this is a bug", "please report the lines above")
    code = 128 + signals[0] if signals else worst((failure.exit_code, *failure.also))
    if "--json" in args and not door.has_told:
        told = {"message": door.redact(str(failure)), "hint": door.redact(failure.hint)}
        head = {"command": door.command, "exit_code": code}
        print_json({**head, **failure.facts, "error": told})
    door.complain(f"error: {failure}" + (f"\nhint: {failure.hint}" if failure.hint else ""))
    return code
