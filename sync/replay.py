"""Replaying a plan, with a journal entry around every call (design 8.4)."""

import graphlib
import heapq
from collections.abc import Generator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from pathlib import PurePosixPath
from typing import Any

import structlog

from sync.api.remote import Access
from sync.document import Document
from sync.errors import AccessDenied, BadAnswer, Refused, RemoteError, Unavailable
from sync.kind import Ident, Kind, Scope
from sync.link import move_assets
from sync.lives import last_known, moved_urls
from sync.order import DELETE, REPLACE, UPDATE, UPLOAD, Step, waits
from sync.plan import Plan
from sync.refs import Objects, files_of
from sync.target import Hands, Target
from sync.wanted import Wanted


class Replay:
    """The steps of one restore, side by side where their order does not matter.

    Args:
        hands: to work with.
        there: where things come back to; its journal notes each call.
        restore_id: of this restore.
        plan: what to do.
        wanted: what comes back.
        live: what was there when it was planned.
        password: the agent's own, which an update of its settings must carry, or "".
    """

    def __init__(
        self,
        hands: Hands,
        there: Target,
        restore_id: int,
        plan: Plan,
        wanted: Wanted,
        live: Objects,
        password: str,
    ) -> None:
        self._account, self._access = hands.account.access, hands.access
        self._journal, self._restore_id = there.journal, restore_id
        self._kinds = there.kinds
        self._store, self._files = hands.store, wanted.files
        self._password = password
        self._steps = plan.steps
        self._live = live
        self._keys = dict(plan.matches)
        self._urls = moved_urls(wanted.objects, live, plan.matches, self._kinds)
        self._successors = self._journal.successors()
        self._failed: set[Ident] = set()
        self._unsure: set[Ident] = set()
        self._failed_before = self._journal.failed_last()
        self._log = structlog.get_logger("restore")

    def run(self) -> Generator[tuple[Step, str]]:
        """Carry out all steps, as they come if nothing makes one wait for another.

        Yields:
            Each step that was tried, and why it was not done, or "".

        Raises:
            AccessDenied, Unavailable, StorageError, Interrupted: no other step would fare better;
                what is under way is finished first.
        """
        steps = self._steps
        sorter = graphlib.TopologicalSorter(waits(steps, self._kinds))
        sorter.prepare()
        ready: list[int] = []
        running: dict[Future[str], int] = {}
        workers = self._access.transport.workers
        pool = ThreadPoolExecutor(workers, thread_name_prefix="restore")
        try:
            while sorter.is_active():
                for number in sorter.get_ready():
                    heapq.heappush(ready, number)
                while ready and len(running) < workers:
                    number = heapq.heappop(ready)
                    running[pool.submit(copy_context().run, self._carry_out, steps[number])] = (
                        number
                    )
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    number = running.pop(future)
                    yield steps[number], future.result()
                    sorter.done(number)
        finally:
            pool.shutdown(cancel_futures=True)

    def _carry_out(self, step: Step) -> str:
        """Do one step; returns why it was not done, or ""."""
        if step.op == DELETE and self._failed:
            # Nothing is taken away as long as something did not come back.
            return "not before all else is done"
        if (step.needs | step.after) & self._unsure:
            self._unsure.add(step.ident)
        if missing := step.needs & self._failed:
            self._failed.add(step.ident)
            return f"needs {', '.join(sorted(' '.join(each) for each in missing))}"
        if step.ident in self._unsure:
            # It would take the place of one that is still to come.
            self._failed.add(step.ident)
            return f"its place is after {' '.join(*step.after)}, of which nothing is known yet"
        try:
            self._do(step)
        except RemoteError as error:
            if isinstance(error, AccessDenied) or _is_unreachable(error):
                # No other step would fare better.
                raise
            self._failed.add(step.ident)
            if not isinstance(error, Refused) and step.ident not in self._failed_before:
                # One that fails again and again is not waited for.
                self._unsure.add(step.ident)
            self._log.warning("step.failed", kind=step.ident[0], key=step.ident[1], why=str(error))
            return str(error)
        self._log.info("step.done", op=step.op, kind=step.ident[0], key=step.ident[1])
        return ""

    def _do(self, step: Step) -> None:
        kind = self._kinds[step.ident[0]]
        document = kind.rewrite(
            step.document,
            lambda name, key: self._keys.get((name, key), key),
            lambda text: move_assets(text, self._urls),
        )
        if step.op == UPDATE:
            self._update(kind, step, document)
        elif step.op == UPLOAD:
            self._upload(kind, step, document)
        elif step.op == DELETE:
            self._delete(kind, step)
        else:
            self._create(kind, step, document)

    def _create(self, kind: Kind, step: Step, document: Document) -> None:
        withheld = step.left_out | kind.limits(step.document).unsent
        sent = {name: value for name, value in document.items() if name not in withheld}
        parent = document.get(kind.parent.key) if kind.parent else None
        number = self._journal.begin(
            self._restore_id,
            step.op,
            step.ident,
            kind.body(sent, create=True),
            parent_new_key=parent,
        )
        try:
            if step.op == REPLACE:
                self._access.delete(kind, self._live[kind.name, step.live_key])
            key = self._create_or_put_back(kind, step, sent)
        except RemoteError as error:
            self._note_failure(number, error)
            raise
        self._done(number, kind, step, key)

    def _create_or_put_back(self, kind: Kind, step: Step, sent: Document) -> str:
        """Create an object; if it was to replace one and is refused, that one is made again."""
        try:
            return self._access.create(kind, sent)
        except Refused:
            if step.op == REPLACE:
                again = self._access.create(kind, self._live[kind.name, step.live_key])
                self._journal.recognise({(kind.name, step.live_key): again})
            raise

    def _update(self, kind: Kind, step: Step, document: Document) -> None:
        key = step.live_key or self._keys[step.ident]
        now = self._live.get((kind.name, key), document)
        address = {name: value for name, value in now.items() if name not in kind.writable}
        changes = self._changes(kind, step, document)
        update = {**address, kind.key: key, **changes}
        number = self._journal.begin(self._restore_id, step.op, step.ident, changes)
        try:
            self._reach(kind).update(kind, update, self._password)
        except RemoteError as error:
            # An update can be made again: nothing is left open.
            self._journal.failed(number, str(error))
            raise
        self._done(number, kind, step, key)

    def _delete(self, kind: Kind, step: Step) -> None:
        number = self._journal.begin(self._restore_id, step.op, step.ident, {})
        try:
            self._reach(kind).delete(kind, step.document)
        except RemoteError as error:
            # If it was carried out all the same, the next listing shows it.
            self._journal.failed(number, str(error))
            raise
        self._journal.done(number, step.ident, step.live_key)

    def _changes(self, kind: Kind, step: Step, document: Document) -> Document:
        changes: dict[str, Any] = {}
        for name, (old, _) in step.fields.items():
            value = document.get(name)
            if value is not None:
                changes[name] = value
            elif name in kind.clearing:
                changes[name] = kind.clearing[name].value
            elif isinstance(old, list | dict):
                changes[name] = type(old)()
        return changes

    def _upload(self, kind: Kind, step: Step, document: Document) -> None:
        (ref,) = files_of(kind, step.document)
        stored = self._files[ref.key]
        extension = PurePosixPath(ref.asset_file).suffix
        name = f"{document.get('originalFileName') or 'file'}{extension}"
        place = {
            ref.path: document.get(ref.path) for ref in kind.refs if ref.path not in step.left_out
        }
        if not self._store.is_sound(stored["sha256"]):
            raise BadAnswer("its stored file is damaged or lost", "see: aisuru-sync check")
        number = self._journal.begin(
            self._restore_id, step.op, step.ident, place, sha256=stored["sha256"]
        )
        try:
            made = self._account.upload(
                kind,
                place,
                name,
                str(stored.get("mime_type") or "application/octet-stream"),
                self._store.path(stored["sha256"]),
            )
        except RemoteError as error:
            self._note_failure(number, error)
            raise
        self._urls[ref.key] = str(made.get(kind.files[0]) or "")
        self._done(number, kind, step, kind.key_of(made))
        wanted_name = document.get("originalFileName")
        if wanted_name and wanted_name != made.get("originalFileName"):
            # A name that cannot be that of a file is given afterwards.
            self._account.update(kind, {**made, "originalFileName": wanted_name})

    def _note_failure(self, number: int, error: RemoteError) -> None:
        """Close a step that surely was not carried out; any other stays open, to be settled."""
        if isinstance(error, Refused) or _is_unreachable(error):
            self._journal.failed(number, str(error))

    def _done(self, number: int, kind: Kind, step: Step, key: str) -> None:
        self._keys[step.ident] = key
        # A remote renumbers the keys that it lets us choose: they are no successors.
        if step.op == UPDATE or kind.key_given:
            old = (kind.name, key)
        elif step.op == REPLACE:
            old = (kind.name, step.live_key)
        else:
            old = last_known(step.ident, self._successors, self._live)
        self._journal.done(number, old, key)

    def _reach(self, kind: Kind) -> Access:
        return self._account if kind.scope is Scope.ACCOUNT else self._access


def _is_unreachable(error: RemoteError) -> bool:
    return isinstance(error, Unavailable) and not error.carried_out
