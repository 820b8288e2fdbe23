"""`aisuru-sync config`: write a sample, and find what is wrong with the settings."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sync import shipped
from sync.cli.door import Door, Reply, make_command
from sync.errors import StorageError, UsageError
from sync.redact import STARS

if TYPE_CHECKING:
    from msgspec import Struct

    from sync.app import App
    from sync.config import Config

_SAMPLE = "aisuru-sync.toml"


@click.group("config", short_help="Write a sample configuration, or check yours.")
def command() -> None:
    """Write a sample configuration, or check yours."""


@command.add_command
@make_command(
    click.Argument(["path"], default=_SAMPLE, type=click.Path(path_type=Path)),
    name="init",
    short_help="Write a commented sample.",
)
def init(_: Door, path: Path) -> Reply:
    """Write a commented sample to PATH (default: ./aisuru-sync.toml); it overwrites nothing."""
    sample = (shipped("samples", "config") / _SAMPLE).read_text("utf-8")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise UsageError(f"{path} is there already", "name another file") from None
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(sample)
    steps = f"Written: {path}\nSet `user` in it, then: aisuru-sync config check --online"
    return Reply(data={"path": str(path)}, text=[steps], trouble=())


@command.add_command
@make_command(
    click.Option(["--online"], is_flag=True, help="Also log in and open the agents' sessions."),
    name="check",
    short_help="Tell everything that is wrong with the settings.",
)
def check(door: Door, online: bool) -> Reply:
    """Tell everything that is wrong with the settings; --online also tries them out."""
    config = door.config()
    app = door.app(config)
    app.credentials()
    shown = _shown(config)
    lines = [f"{name} = {_line(name, value)}" for name, value in shown.items()]
    memoris = _try_out(app) if online else []
    lines += [f"session of the Giver opened: {name}" for name in memoris]
    return Reply(
        data={"settings": shown, "memoris": memoris if online else None},
        text=[*lines, "The settings are fine."],
        trouble=(),
    )


def _line(name: str, value: Any) -> str:
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    nothing = "all" if name == "memori" else "-"
    return nothing if value in (None, "") else str(value)


def _try_out(app: "App") -> list[str]:
    """Log in, and open the Giver session of each chosen agent; returns their names."""
    from sync.api.account import choose_agents

    means = app.means
    with app.account() as account:
        agents = choose_agents(app.memoris, account.agents())
        for agent in agents:
            with account.giver(agent, means.password_of(agent)):
                pass
    return [agent.name for agent in agents]


def _shown(config: "Config") -> dict[str, Any]:
    """The settings in effect, secrets as stars."""
    from sync import config as settings
    from sync.mirror.database import hide_secrets

    def starred(secret: Callable[["Config", Mapping[str, str]], str]) -> str | None:
        return STARS if secret(config, os.environ) else None

    return {
        "file": str(config.path or "none"),
        **_section("account", config.account),
        "account.password": starred(settings.password),
        "account.token": starred(settings.token),
        "account.trusted_app_key": starred(settings.trusted_app_key),
        "memori": [each.name or each.id for each in config.memori],
        **_section("storage", config.storage),
        "storage.database": hide_secrets(config.storage.database),
        **_section("backup", config.backup),
        **_section("service", config.service),
        **_section("prune", config.prune),
        "service.ping_url": starred(settings.ping_url),
        "schedule": [f"{each.cron}: {each.name}" for each in config.schedule],
    }


def _section(name: str, settings: "Struct") -> dict[str, Any]:
    from msgspec.structs import asdict

    return {f"{name}.{setting}": value for setting, value in asdict(settings).items()}
