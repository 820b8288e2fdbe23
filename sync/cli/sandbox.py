"""`aisuru-sync sandbox`: an AIsuru remote on this machine, to try things out."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sync.cli.door import Door, Reply, make_command
from sync.errors import Interrupted, StorageError, UsageError

if TYPE_CHECKING:
    from sync.sandbox import World


@make_command(
    click.Argument(["world"], required=False, type=click.Path(path_type=Path)),
    click.Option(
        ["--port"],
        type=click.IntRange(0, 65535),
        default=8600,
        show_default=True,
        help="0 takes any free one.",
    ),
    click.Option(
        ["--save"], type=click.Path(path_type=Path), help="Write the world there at the end."
    ),
    name="sandbox",
    short_help="Run an AIsuru remote on this machine.",
)
def command(door: Door, world: Path | None, port: int, save: Path | None) -> Reply:
    """Run an AIsuru remote on this machine until Ctrl-C: the demo account, or WORLD (JSON).

    It speaks the API of Engine and Backend, refuses what they refuse, and listens on 127.0.0.1
    only. Whatever is changed in it is gone at its end, unless --save writes it. That file may be
    edited. To go on later where it ended: sandbox world.json --save world.json
    """
    from sync.sandbox import Sandbox, World, demo_world

    try:
        loaded = World.load(world) if world else demo_world()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{world} is not the world of a sandbox: {error}") from None
    sandbox = Sandbox(loaded, port=port)
    try:
        sandbox.start()
    except OSError as error:
        raise UsageError(
            f"cannot listen on port {port}: {error.strerror}", "use --port 0"
        ) from None

    def serve() -> None:
        try:
            door.stop.event.wait()
        except Interrupted:
            pass
        finally:
            sandbox.stop()
        if save:
            _save(loaded, save)
            door.tell(f"Written: {save}")

    account = loaded.account
    settings = (
        "[account]",
        f'backend_url = "{sandbox.url}"',
        f'engine_url = "{sandbox.url}"',
        f'asset_urls = ["{sandbox.url}"]',
        f'user = "{account.user_name}"',
        "[storage]",
        'database = "sqlite:///sandbox.db"',
        'files = "sandbox-files"',
    )
    started = "An AIsuru remote is at work; Ctrl-C ends it. To reach it, set:"
    secret = f"export AISURU_SYNC_PASSWORD={account.password}"
    return Reply(
        data={"url": sandbox.url, "user": account.user_name, "password": account.password},
        text=[started, "", secret, "", *settings],
        then=serve,
    )


def _save(world: "World", path: Path) -> None:
    try:
        # It holds a password.
        path.touch(mode=0o600)
        world.save(path)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from None
