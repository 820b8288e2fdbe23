"""Comparing with the remote: does it show a sample of the objects and files as they are held here?

Reads only. What was changed over there since it was last seen is no damage; an object that differs
although the remote says that it was not changed is.
"""

import functools
import tempfile
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from sync.api.account import Account, Agent, OpenAccount
from sync.api.means import Means
from sync.api.remote import Access
from sync.check import Damage
from sync.document import Document
from sync.errors import BadAnswer, RemoteError, StorageError, failing_alone
from sync.fetch import FAILED, MISSING
from sync.files import FileStore
from sync.kind import Kind, Scope, children, cut_out, in_place
from sync.kinds.file import FILE
from sync.link import FileRef
from sync.mirror import audit
from sync.mirror.mirror import Mirror
from sync.mirror.values import Source
from sync.refetch import Search
from sync.watch import Watch

OBJECTS, FILES, LARGEST = 20, 5, 16 << 20
"""How many objects of each kind of a source are compared, and how many files of how many bytes."""
_NAMED = 5
_T = TypeVar("_T")
_OTHER_BYTES = "what is held here stays; a repair cannot get it there"


class Verdict(StrEnum):
    """How something that is held here compares with what the remote shows."""

    SAME = "same"
    CHANGED = "changed"
    GONE = "gone"
    DAMAGED = "damaged"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Compared:
    """How one kind of a source compares.

    Attributes:
        source: whose objects; None for the files of all sources.
        held: how many the mirror has.
        listed: how many the remote counts, None where nothing does.
        verdicts: how many of the sample are what.
    """

    source: Source | None
    kind: str
    held: int
    listed: int | None
    verdicts: Mapping[Verdict, int]


@dataclass(frozen=True)
class Comparison:
    """What was compared.

    Attributes:
        compared: in order of sources and kinds.
        damage: what cannot be as it is held here.
        errors: what could not be compared, and why: {what: error}.
        not_shown: Memoris that the account does not show any more; what they held stays here.
        only_counted: kinds of which something is held, but that no call shows one by one.
    """

    compared: list[Compared]
    damage: list[Damage]
    errors: dict[str, RemoteError]
    not_shown: list[Source] = field(default_factory=list)
    only_counted: tuple[str, ...] = ()


def compare(
    mirror: Mirror,
    kinds: Mapping[str, Kind],
    open_account: OpenAccount,
    means: Means,
    watch: Watch,
) -> Comparison:
    """Ask the remote for a sample of every kind of every source, and for some files.

    Args:
        mirror: to compare.
        kinds: the registry.
        open_account: logs in.
        means: to ask with.
        watch: told of progress.

    Raises:
        UsageError: the mirror is another account's.
        StorageError, Interrupted: nothing was changed.
    """
    with tempfile.TemporaryDirectory(prefix="aisuru-sync-") as folder:
        work = _Work(mirror, kinds, means, watch, Path(folder))
        try:
            with open_account() as account:
                mirror.check_account(account.user_id, account.name)
                work.compare_sources(account)
                work.compare_files(account.access)
        except RemoteError as error:
            work.errors["the account"] = error
    held = dict.fromkeys(each.kind for each in work.compared if each.held and each.source)
    only_counted = tuple(name for name in held if not kinds[name].get)
    return Comparison(work.compared, work.damage, work.errors, work.not_shown, only_counted)


def verdict(kind: Kind, held: Document, live: Document | None) -> Verdict:
    """How an object compares.

    Args:
        kind: of the object.
        held: as the mirror has it.
        live: as the remote shows it, None if it is not there.
    """
    if live is None:
        return Verdict.GONE
    if kind.digest(held) == kind.digest(live):
        return Verdict.SAME
    return Verdict.DAMAGED if kind.is_untouched(held, live) else Verdict.CHANGED


def file_verdict(refs: Sequence[FileRef], *, is_same: bool, outcomes: Collection[str]) -> Verdict:
    """How the bytes of a file compare.

    Args:
        refs: the files that they are.
        is_same: the very bytes came.
        outcomes: what else became of asking for it.
    """
    if is_same:
        return Verdict.SAME
    if set(outcomes) - {MISSING, FAILED}:
        is_final = all(ref.is_final for ref in refs)
        return Verdict.DAMAGED if is_final else Verdict.CHANGED
    return Verdict.GONE if MISSING in outcomes else Verdict.UNKNOWN


class _Work:
    """One comparison under way."""

    def __init__(
        self,
        mirror: Mirror,
        kinds: Mapping[str, Kind],
        means: Means,
        watch: Watch,
        folder: Path,
    ) -> None:
        self.compared: list[Compared] = []
        self.damage: list[Damage] = []
        self.errors: dict[str, RemoteError] = {}
        self.not_shown: list[Source] = []
        self._mirror = mirror
        self._kinds = kinds
        self._means = means
        self._watch = watch
        self._places = self._unless_broken(FILE, lambda: audit.sample_files(mirror, FILES, LARGEST))
        store = FileStore(folder)
        store.prepare()
        self._search = Search(self._places or [], mirror.sources(), store, means)

    def compare_sources(self, account: Account) -> None:
        """Compare what each source holds, and ask for its files under the same session."""
        agents = {each.memori_id: each for each in account.agents()}
        for source in self._mirror.sources():
            agent = agents.get(source.remote_id)
            if source.scope is Scope.ACCOUNT:
                self._compare_source(source, account.access)
            elif agent is not None:
                self._compare_agent(source, account, agent)
            else:
                self.not_shown.append(source)

    def compare_files(self, access: Access) -> None:
        """Ask for the files that no agent gave, and judge what came of all of them."""
        self._ask_for_files(access)
        places = self._places or []
        # No other session opens what an agent had that is not shown any more.
        gone = {each.id for each in self.not_shown}
        out_of_reach = {each.sha256 for each in places if each.source_id in gone}
        verdicts = Counter(
            self._compare_file(sha256, key, is_out_of_reach=sha256 in out_of_reach)
            for sha256, key in {each.sha256: each.key for each in places}.items()
        )
        number = self._unless_broken(FILE, lambda: audit.count_blobs(self._mirror))
        self.compared.append(Compared(None, FILE.name, number or 0, None, verdicts))

    def _compare_file(self, sha256: str, key: str, *, is_out_of_reach: bool) -> Verdict:
        search, refs = self._search, self._search.refs(sha256)
        is_same = sha256 in search.found
        found = file_verdict(refs, is_same=is_same, outcomes=search.outcomes(sha256))
        if found is Verdict.DAMAGED:
            problem = f"the remote gives other bytes for it than the file {sha256}"
            self.damage.append(Damage(FILE.name, key, problem, why=_OTHER_BYTES))
        if found is not Verdict.UNKNOWN:
            return found
        if is_out_of_reach:
            return Verdict.GONE
        why = f"it could not be fetched: {search.why_failed(sha256)}"
        why = why if refs else "its host is not in `asset_urls` any more"
        self.errors[f"file {key}"] = BadAnswer(why)
        return found

    def _ask_for_files(self, access: Access, memori_id: str = "") -> None:
        for number, _ in enumerate(self._search.under(access, memori_id), start=1):
            self._watch("files", "compare", number, None)

    def _compare_agent(self, source: Source, account: Account, agent: Agent) -> None:
        note = functools.partial(self.errors.__setitem__, source.name)
        with failing_alone(note), account.giver(agent, self._means.password_of(agent)) as access:
            self._compare_source(source, access)
            self._ask_for_files(access, agent.memori_id)

    def _compare_source(self, source: Source, access: Access) -> None:
        for kind in self._kinds.values():
            if kind.scope is source.scope:
                compared = self._unless_broken(
                    kind, functools.partial(self._compare_kind, source, kind, access)
                )
                self.compared += [compared] if compared else []

    def _unless_broken(self, kind: Kind, look: Callable[[], _T]) -> _T | None:
        """What is seen; a table that cannot be read is damage, and keeps no other from being."""
        try:
            return look()
        except StorageError as error:
            self.damage.append(Damage(kind.name, "its table", str(error)))
            return None

    def _compare_kind(self, source: Source, kind: Kind, access: Access) -> Compared:
        held = audit.sample(self._mirror, source, kind, OBJECTS) if kind.get else []
        verdicts: Counter[Verdict] = Counter()
        lives = access.find(kind, held)
        for document, found in zip(held, lives, strict=True):
            live = found and self._own_part(kind, found, document)
            judged = verdict(kind, document, live)
            verdicts[judged] += 1
            if judged is Verdict.DAMAGED and live:
                self.damage.append(_damage(kind, document, live))
        self._watch(source.name, kind.name, len(held), len(held))
        number = audit.count(self._mirror, source, kind)
        return Compared(source, kind.name, number, _listed(kind, access), verdicts)

    def _own_part(self, kind: Kind, live: Document, held: Document) -> Document:
        """What of an object is its own: no children, and its place among its parent's."""
        for child in children(kind, self._kinds):
            live, _ = cut_out(live, child)
        return in_place(kind, live, held)


def _listed(kind: Kind, access: Access) -> int | None:
    if kind.list is None or kind.parent is not None:
        return None
    page = access.page(kind, 0, 1) if kind.list.paged else access.unpaged(kind)
    return len(page.documents) if page.count is None else page.count


def _damage(kind: Kind, held: Document, live: Document) -> Damage:
    names = list(kind.differences(held, live))
    named = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
    problem = f"the remote shows it otherwise ({named}) and says that it was not changed since"
    return Damage(kind.name, kind.key_of(held), problem, why="the next backup takes it over")
