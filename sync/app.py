"""Assembly: the one place that builds hands from a configuration, and takes the lock."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from zoneinfo import ZoneInfo

from sync import config as settings
from sync.api.account import Account, Agent, Credentials, choose_agent
from sync.api.download import FileLimits
from sync.api.means import Means
from sync.api.transport import Transport
from sync.backup import Wishes, choose_kinds
from sync.config import Config
from sync.errors import NoMirror, UsageError
from sync.files import FileStore
from sync.kind import Kind, Scope
from sync.kinds import KINDS
from sync.link import origin_of
from sync.mirror.database import sqlite_file
from sync.mirror.lock import hold
from sync.mirror.mirror import Mirror
from sync.mirror.values import Reason
from sync.redact import Redactor
from sync.stop import Stop
from sync.target import Hands
from sync.wording import quoted


class App:
    """What a process works with.

    Args:
        config: the settings.
        stop: ends waiting and further calls when asked for.
        redactor: learns every secret that comes by.
    """

    def __init__(self, config: Config, stop: Stop, redactor: Redactor) -> None:
        self.config = config
        self.kinds = KINDS
        self.store = FileStore(Path(config.storage.files))
        self.redactor = redactor
        self._stop = stop

    @property
    def backed_up(self) -> Mapping[str, Kind]:
        """The kinds that a run mirrors: personal data only if the settings say so."""
        if self.config.backup.personal_data:
            return self.kinds
        return {name: kind for name, kind in self.kinds.items() if not kind.is_personal}

    @contextmanager
    def reading(self) -> Iterator[Mirror]:
        """The mirror for readers: it must be there, and of this version.

        Raises:
            NoMirror: it is not.
        """
        path = sqlite_file(self.config.storage.database)
        # To open a database makes it.
        if path is not None and not path.exists():
            raise NoMirror("there is no mirror here yet", "run `aisuru-sync backup` first")
        with self._mirror() as mirror:
            mirror.check_version()
            yield mirror

    @contextmanager
    def mending(self, job: str) -> Iterator[Mirror]:
        """The mirror for the one writer, but neither made nor migrated.

        Args:
            job: what others are told who find it locked.

        Raises:
            NoMirror: there is none, or it is of another version.
            Locked: another process writes.
        """
        with self.reading() as mirror, hold(mirror.engine, job):
            # Whoever held the lock until now may have migrated it.
            mirror.check_version()
            mirror.interrupt_running()
            yield mirror

    @contextmanager
    def writing(self, job: str) -> Iterator[Mirror]:
        """The mirror for the one writer, made or migrated if need be.

        Args:
            job: what others are told who find it locked.

        Raises:
            Locked: another process writes.
            NoMirror: the mirror was made by a newer version.
        """
        with self._mirror() as mirror, hold(mirror.engine, job):
            mirror.migrate()
            mirror.interrupt_running()
            yield mirror

    @contextmanager
    def account(self) -> Iterator[Account]:
        """The account, logged in.

        Raises:
            UsageError: there are no credentials.
            AccountRefused: they are not accepted.
        """
        account, backup = self.config.account, self.config.backup
        transport = Transport(
            account.engine_url,
            account.backend_url,
            redactor=self.redactor,
            stop=self._stop,
            retry_s=backup.retry_s,
            concurrency=backup.concurrency,
        )
        logged_in = Account(transport, self.credentials())
        try:
            logged_in.log_in()
            yield logged_in
        finally:
            logged_in.log_out()
            transport.close()

    @contextmanager
    def restoring(self, job: str, memori: str) -> Iterator[Hands]:
        """What a restore into a Memori works with, under its Giver session.

        Args:
            job: what others are told who find the mirror locked.
            memori: its name or Backend id.

        Raises:
            UsageError: the account does not own it, or not any more.
            AccessDenied: password, tag or PIN are not accepted.
            as `writing` and `account`.
        """
        means = self.means
        with self.writing(job) as mirror, self.account() as account:
            mirror.check_account(account.user_id, account.name)
            owned = account.agents()
            _check_there(memori, mirror, owned)
            agent = choose_agent(memori, owned)
            target = mirror.register_memori(agent.memori_id, agent.name, agent.engine_memori_id)
            with account.giver(agent, means.password_of(agent)) as access:
                yield Hands(account, target, access, mirror, self.store, self.kinds, means)

    @property
    def means(self) -> Means:
        """What the remote is asked with.

        Raises:
            UsageError: an agent's own password is not where the settings say.
        """
        backup = self.config.backup
        return Means(
            passwords={
                each.name or each.id: settings.memori_password(self.config, each)
                for each in self.config.memori
            },
            page_size=backup.page_size,
            concurrency=backup.concurrency,
            limits=FileLimits(backup.file_mib, backup.file_s, self._origins()),
            without_files=backup.without_files,
        )

    def wishes(self, memoris: tuple[str, ...], kinds: tuple[str, ...], reason: Reason) -> Wishes:
        """What a backup is asked for: the command line over the configuration.

        Args:
            memoris: names or ids; none means those of the configuration.
            kinds: names; none means all that is backed up.
            reason: why the run is made.

        Raises:
            UsageError: there is no such kind, or the settings leave it out as personal data.
        """
        choose_kinds(frozenset(kinds), self.kinds)
        if held := set(kinds) & (self.kinds.keys() - self.backed_up.keys()):
            raise UsageError(
                f"{', '.join(sorted(held))} is personal data, which the settings leave out",
                "set `personal_data = true` in [backup]",
            )
        return Wishes(
            memoris=memoris or self.memoris,
            is_limited=bool(memoris),
            kinds=frozenset(kinds or self.backed_up),
            reason=reason,
        )

    @property
    def zone(self) -> ZoneInfo | None:
        """The time zone that the settings name; None for the machine's."""
        name = self.config.service.time_zone
        return ZoneInfo(name) if name else None

    @property
    def memoris(self) -> list[str]:
        """Names or ids of the agents that the settings name; none means all."""
        return [each.name or each.id for each in self.config.memori]

    def _origins(self) -> frozenset[str]:
        account = self.config.account
        urls = (account.backend_url, account.engine_url, *account.asset_urls)
        return frozenset(map(origin_of, urls))

    def credentials(self) -> Credentials:
        """How to log in.

        Raises:
            UsageError: the settings do not say.
        """
        config, account = self.config, self.config.account
        token = settings.token(config, os.environ)
        key = "" if token else settings.trusted_app_key(config, os.environ)
        password = "" if token or key else settings.password(config, os.environ)
        if key and "@" not in account.user:
            raise UsageError(
                "an application's key logs in by e-mail", "set `user` in [account] to the e-mail"
            )
        if not (key.isascii() and key.isprintable()):
            raise UsageError("the application's key holds characters that no header can take")
        if not token and not (account.user and (password or key)):
            missing = "password" if account.user else "user"
            raise UsageError(
                f"there is no {missing} to log in with",
                "set `user` in [account], and $AISURU_SYNC_PASSWORD or `password_file`",
            )
        return Credentials(account.tenant, account.user, password, token, key)

    @contextmanager
    def _mirror(self) -> Iterator[Mirror]:
        mirror = Mirror(self.config.storage.database, self.kinds, self._stop)
        try:
            yield mirror
        finally:
            mirror.close()


def _check_there(memori: str, mirror: Mirror, owned: Sequence[Agent]) -> None:
    """Raise `UsageError` if a Memori was backed up, and is not in the account any more."""
    if any(memori in (each.memori_id, each.name) for each in owned):
        return
    there = {each.memori_id for each in owned}
    for each in mirror.sources():
        is_meant = each.scope is Scope.MEMORI and memori in (each.remote_id, each.name)
        if is_meant and each.remote_id not in there:
            raise UsageError(
                f"{each.name!r} ({each.remote_id}) is not in the account any more",
                "what it was can come back into another agent, new or old:"
                " restore --snapshot ID --into NAME;"
                f" the account owns: {quoted(agent.name for agent in owned)}",
            )
