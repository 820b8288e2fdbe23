"""Settings: a TOML file, overridden key by key from the environment, checked all at once.

`AISURU_SYNC_STORAGE__DATABASE` stands for `database` in `[storage]`, `AISURU_SYNC_MEMORI__0__NAME`
for `name` of the first `[[memori]]`. Secrets come from the environment, from a file that the
configuration names, or from systemd's credentials; they are never part of the configuration.
"""

import tomllib
import zoneinfo
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import platformdirs
import structlog

from sync.errors import UsageError
from sync.kinds import KINDS
from sync.link import origin_of
from sync.mirror.database import parse_url
from sync.retention import Keeping, keeping_problems
from sync.schedule import Entry, problems_of
from sync.when import duration

NAME = "aisuru-sync"
LOG_FORMATS = ("plain", "json")
_PREFIX = "AISURU_SYNC_"
# Names with the prefix that are no settings.
_OTHER = frozenset({"CONFIG", "PASSWORD", "PING_URL", "TOKEN", "TRUSTED_APP_KEY", "TEST_POSTGRES"})


class AccountConfig(msgspec.Struct, frozen=True):
    """`[account]`: which remote, and who logs in."""

    backend_url: str = "https://backend.memori.ai"
    engine_url: str = "https://engine.memori.ai"
    asset_urls: tuple[str, ...] = ("https://assets.memori.ai",)
    tenant: str = "www.aisuru.com"
    user: str = ""
    password_file: str = ""
    token_file: str = ""
    trusted_app_key_file: str = ""


class MemoriConfig(msgspec.Struct, frozen=True):
    """`[[memori]]`: an agent to back up; none given means all that the account owns."""

    name: str = ""
    id: str = ""
    password_file: str = ""


class StorageConfig(msgspec.Struct, frozen=True):
    """`[storage]`: where the mirror is."""

    database: str = ""
    files: str = ""


class BackupConfig(msgspec.Struct, frozen=True):
    """`[backup]`: how hard to ask."""

    page_size: int = 100
    concurrency: int = 4
    retry_s: float = 60.0
    file_mib: int = 4096
    file_s: float = 3600.0
    personal_data: bool = False
    without_files: tuple[str, ...] = ()


class ServiceConfig(msgspec.Struct, frozen=True):
    """`[service]`: how the daemon is seen from outside."""

    listen: str = "127.0.0.1:8400"
    max_age: str = "26h"
    time_zone: str = ""
    ping_url_file: str = ""
    log_format: str = "plain"


class Config(msgspec.Struct, frozen=True):
    """All settings.

    Attributes:
        path: the file they came from, None if all came from the environment.
    """

    account: AccountConfig = AccountConfig()
    memori: tuple[MemoriConfig, ...] = ()
    storage: StorageConfig = StorageConfig()
    backup: BackupConfig = BackupConfig()
    service: ServiceConfig = ServiceConfig()
    prune: Keeping = Keeping()
    schedule: tuple[Entry, ...] = ()
    path: Path | None = None


_TABLES: Mapping[str, type[msgspec.Struct]] = {
    "account": AccountConfig,
    "storage": StorageConfig,
    "backup": BackupConfig,
    "service": ServiceConfig,
    "prune": Keeping,
}
_LISTS: Mapping[str, type[msgspec.Struct]] = {"memori": MemoriConfig, "schedule": Entry}
_CREDENTIALS = {
    "PASSWORD": "aisuru-password",
    "TOKEN": "aisuru-token",
    "TRUSTED_APP_KEY": "aisuru-trusted-app-key",
    "PING_URL": "aisuru-ping-url",
}
"""{the end of a variable's name: the name of systemd's credential}."""
_NEVER_HERE = " (secrets do not belong here: see `password_file` in the sample)"
_LIMITS = {
    "page_size": (1, 1000),
    "concurrency": (1, 32),
    "retry_s": (0, 3600),
    "file_mib": (1, 1_000_000),
    "file_s": (1, 86_400),
}


def find(path: str | None, environ: Mapping[str, str]) -> Path | None:
    """The configuration file to use: the one named, else the first that exists.

    Raises:
        UsageError: the one named does not exist.
    """
    named = path or environ.get(f"{_PREFIX}CONFIG")
    if named:
        if not _is_there(Path(named)):
            raise UsageError(f"there is no configuration {named}", f"write one: {NAME} config init")
        return Path(named)
    places = (
        Path(f"{NAME}.toml"),
        platformdirs.user_config_path(NAME) / "config.toml",
        Path("/etc") / NAME / "config.toml",
    )
    return next((place for place in places if _is_there(place)), None)


def load(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Read the settings.

    Raises:
        UsageError: something in them is wrong; the message tells everything that is.
    """
    settings = _merge(_read(path) if path else {}, _from_environment(environ))
    if path is None and not settings:
        raise UsageError("there is no configuration", f"write one: {NAME} config init")
    config, problems = _checked(settings)
    if not problems:
        config = _located(msgspec.structs.replace(config, path=path), environ)
        problems = list(_storage_problems(config.storage))
    if problems:
        where = f"{path} and the environment" if path else "the environment"
        raise UsageError(f"{where}:\n  " + "\n  ".join(problems), "see the comments of the sample")
    return config


def password(config: Config, environ: Mapping[str, str]) -> str:
    """The account's password, "" if none is given."""
    return _secret(config, "PASSWORD", config.account.password_file, environ)


def token(config: Config, environ: Mapping[str, str]) -> str:
    """A ready login token, "" if none is given."""
    return _secret(config, "TOKEN", config.account.token_file, environ)


def trusted_app_key(config: Config, environ: Mapping[str, str]) -> str:
    """The key of an application that the site trusts, "" if none is given."""
    return _secret(config, "TRUSTED_APP_KEY", config.account.trusted_app_key_file, environ)


def ping_url(config: Config, environ: Mapping[str, str]) -> str:
    """The URL of the watcher that is told of jobs, "" if there is none."""
    return _secret(config, "PING_URL", config.service.ping_url_file, environ)


def memori_password(config: Config, memori: MemoriConfig) -> str:
    """A SECRET Memori's own password, "" if none is given."""
    return _read_secret(_beside(config.path, memori.password_file)) if memori.password_file else ""


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not TOML: {error}") from None


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    for name in sorted(environ):
        key = name.removeprefix(_PREFIX)
        if key == name or key in _OTHER:
            continue
        *way, last = key.lower().split("__")
        at = settings
        for step in way:
            at = at.setdefault(step, {})
            if not isinstance(at, dict):
                raise UsageError(f"{name} contradicts another variable")
        at[last] = environ[name]
    return settings


def _merge(settings: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(settings)
    for name, value in over.items():
        below = merged.get(name)
        if isinstance(value, dict) and isinstance(below, list):
            merged[name] = _merge_list(below, value)
        elif isinstance(value, dict):
            merged[name] = _merge(below if isinstance(below, dict) else {}, value)
        else:
            merged[name] = value
    return merged


def _merge_list(below: list[Any], over: dict[str, Any]) -> list[Any]:
    places = [str(place) for place in range(len(below))]
    if beyond := over.keys() - set(places):
        raise UsageError(
            f"there is no table number {', '.join(sorted(beyond))} to override",
            f"the file has {len(below)}, counted from 0",
        )
    return [
        _merge(each, over.get(place, {})) if isinstance(each, dict) else each
        for place, each in zip(places, below, strict=True)
    ]


def _checked(settings: dict[str, Any]) -> tuple[Config, list[str]]:
    """The settings in their types, and everything that is wrong with them."""
    known = (*_TABLES, *_LISTS)
    problems = [f"unknown: [{name}]" for name in settings if name not in known]
    tables = {}
    for name, struct in _TABLES.items():
        tables[name], wrong = _table(f"[{name}]", struct, settings.get(name, {}))
        problems += wrong
    for name, struct in _LISTS.items():
        tables[name], wrong = _list_of(f"[[{name}]]", struct, settings.get(name, []))
        problems += wrong
    config = Config(**tables)
    return config, problems + list(_judge(config))


def _list_of(where: str, struct: type[msgspec.Struct], given: Any) -> tuple[Any, list[str]]:
    if isinstance(given, dict):
        # From the environment alone, the list comes as {"0": …}.
        given = [each for _, each in sorted(given.items(), key=lambda item: item[0].zfill(9))]
    if not isinstance(given, list):
        return (), [f"{where} is not a list of tables"]
    read = [_table(where, struct, each) for each in given]
    return tuple(each for each, _ in read), [each for _, wrong in read for each in wrong]


def _table(where: str, struct: type[msgspec.Struct], given: Any) -> tuple[Any, list[str]]:
    if not isinstance(given, dict):
        return struct(), [f"{where} is not a table"]
    types = {each.name: each.type for each in msgspec.structs.fields(struct)}
    values, problems = {}, []
    for name, value in given.items():
        if name not in types:
            hint = _NEVER_HERE if name in ("password", "token") else ""
            problems.append(f"unknown: {name} in {where}{hint}")
            continue
        is_text = isinstance(value, str)
        is_list = is_text and name in ("asset_urls", "kinds", "without_files")
        try:
            values[name] = msgspec.convert(
                value.split(",") if is_list else value, types[name], strict=not is_text
            )
        except msgspec.ValidationError as error:
            problems.append(f"{name} in {where}: {error}")
    return struct(**values), problems


def _judge(config: Config) -> Iterator[str]:
    account = config.account
    if not account.tenant:
        yield "tenant in [account] is empty"
    urls = {"backend_url": account.backend_url, "engine_url": account.engine_url}
    urls |= {f"asset_urls, number {n}": url for n, url in enumerate(account.asset_urls, start=1)}
    for name, url in urls.items():
        try:
            origin_of(url)
        except UsageError as error:
            yield f"{name} in [account]: {error}; {error.hint}"
    for name, (least, most) in _LIMITS.items():
        if not least <= getattr(config.backup, name) <= most:
            yield f"{name} in [backup] must be from {least} to {most}"
    if any(bool(each.name) == bool(each.id) for each in config.memori):
        yield "[[memori]] needs either `name` or `id`"
    yield from _service_problems(config.service)
    yield from (f"{problem} in [prune]" for problem in keeping_problems(config.prune))
    if any(each.job == "prune" for each in config.schedule) and not config.prune.says_anything:
        yield "job 'prune' in [[schedule]] needs [prune] to say what is kept"
    for entry in config.schedule:
        if not config.backup.personal_data and any(
            KINDS[n].is_personal for n in entry.kinds if n in KINDS
        ):
            yield "kinds in [[schedule]] name personal data: set personal_data in [backup]"
        yield from (f"{problem} in [[schedule]]" for problem in problems_of(entry))


def _service_problems(service: ServiceConfig) -> Iterator[str]:
    try:
        duration(service.max_age)
    except UsageError as error:
        yield f"max_age in [service]: {error}; {error.hint}"
    try:
        place = urlsplit(f"//{service.listen}")
        is_place = not service.listen or (bool(place.hostname) and place.port is not None)
    except ValueError:
        is_place = False
    if not is_place:
        yield 'listen in [service] is no "host:port", such as "127.0.0.1:8400"'
    if service.log_format not in LOG_FORMATS:
        yield f"log_format in [service] is none of {', '.join(LOG_FORMATS)}"
    if service.time_zone and service.time_zone not in zoneinfo.available_timezones():
        yield f'time_zone in [service]: there is no {service.time_zone!r}; say "Europe/Rome"'


def _storage_problems(storage: StorageConfig) -> Iterator[str]:
    try:
        parse_url(storage.database)
    except UsageError as error:
        yield f"database in [storage]: {error}; {error.hint}"
    if "\0" in storage.files:
        yield "files in [storage] holds a NUL character"


def _located(config: Config, environ: Mapping[str, str]) -> Config:
    """The settings with the places of the mirror filled in and made absolute."""
    state = environ.get("STATE_DIRECTORY", "").split(":")[0]
    home = Path(state) if state else platformdirs.user_data_path(NAME)
    database = config.storage.database or f"sqlite:///{home / 'mirror.db'}"
    scheme, _, place = database.partition(":///")
    if scheme.startswith("sqlite") and place:
        database = f"{scheme}:///{_beside(config.path, place)}"
    files = _beside(config.path, config.storage.files) if config.storage.files else home / "files"
    return msgspec.structs.replace(config, storage=StorageConfig(database, str(files)))


def _beside(path: Path | None, place: str) -> Path:
    """A path of the configuration: relative ones are meant from where the file is."""
    try:
        expanded = Path(place).expanduser()
    except RuntimeError:
        raise UsageError(f"{place}: there is no such user") from None
    return (path.parent if path else Path()).absolute() / expanded


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _secret(config: Config, name: str, file: str, environ: Mapping[str, str]) -> str:
    if given := environ.get(f"{_PREFIX}{name}"):
        return given
    if file:
        return _read_secret(_beside(config.path, file))
    credential = Path(environ.get("CREDENTIALS_DIRECTORY", "")) / _CREDENTIALS[name]
    if "CREDENTIALS_DIRECTORY" in environ and credential.is_file():
        return _read_secret(credential)
    return ""


def _read_secret(path: Path) -> str:
    try:
        if path.stat().st_mode & 0o077:
            structlog.get_logger("config").warning("secret.readable_by_others", path=str(path))
        return path.read_text("utf-8").strip("\r\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "not UTF-8"
        raise UsageError(f"cannot read the secret in {path}: {reason}") from None
