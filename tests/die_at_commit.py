"""Run commands in processes that kill themselves at their nth commit: what `Driver` drives.

Only commits count that write to a table of the mirror: the others, of temporary tables, make no
difference to what is found after a death. With `every` they count, too; with `counted`, a regular
expression, only those with a statement like that. With `unlinks` the removal of each stored file
counts as a commit does.

Reads jobs from stdin, one JSON object a line, and writes one line for each:
    {"commit": 3, "after": false, "signal": 9, "every": false, "counted": "",
     "unlinks": false, "commands": [["backup", …], …]}
    {"ended": -9, "commits": 3, "done": [[exit code, stdout, stderr] of each command that ended]}
Each job that dies has a process of its own, forked from this one. Those that live, with `commit`
0, run in this one: what they import, make and compile need not be made again by those that die.
With `after` the signal comes once the commit is done, else before.
"""

import contextlib
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import made_once
import pytest
from sqlalchemy import Engine, event
from sqlalchemy.engine.default import DefaultDialect

import sync.backup
import sync.check
import sync.history
import sync.mirror.schema
import sync.prune
import sync.restore  # all that a command imports late
from sync.cli import run
from sync.kinds import KINDS

REAL_UNLINK = os.unlink
TABLES = "|".join(
    [
        *KINDS, "alembic_version", "mirror", "source", "snapshot", "snapshot_kind", "change",
        "file", "restore", "restore_step", "key_map",
    ]
)  # fmt: skip
WRITES = (
    r"\s*(?:create\s+(?:unique\s+)?(?:table|index)"
    rf'|(?:insert\s+into|update|delete\s+from)\s+"?(?:{TABLES})\b)'
)


class Death:
    """Counts the commits of this process, of whatever database, and ends it at one of them."""

    def __init__(self, job: dict[str, Any], told: int) -> None:
        self._commit = job["commit"]
        self._number = job["signal"]
        self._after = job["after"]
        self._unlinks = job["unlinks"]
        self._every = self._writes = job["every"]
        self._counted = re.compile(job["counted"] or WRITES, re.IGNORECASE)
        self._told = told
        self._count = 0
        self._real = DefaultDialect.do_commit

    def _look(self, _: Any, __: Any, statement: str, *___: Any) -> None:
        self._writes = self._writes or bool(self._counted.match(statement))

    @contextlib.contextmanager
    def expected(self) -> Iterator[None]:
        """Count, and die when it is time."""
        death = self

        def do_commit(dialect: DefaultDialect, connection: Any) -> None:
            if not death._writes:
                death._real(dialect, connection)
                return
            death.count()
            is_due = death._count == death._commit
            if is_due and not death._after:
                os.kill(os.getpid(), death._number)
            death._real(dialect, connection)
            if is_due and death._after:
                os.kill(os.getpid(), death._number)

        event.listen(Engine, "before_cursor_execute", self._look)
        DefaultDialect.do_commit = do_commit  # type: ignore[method-assign]
        os.unlink = self._unlink if self._unlinks else REAL_UNLINK
        yield
        os.unlink = REAL_UNLINK
        DefaultDialect.do_commit = self._real  # type: ignore[method-assign]
        event.remove(Engine, "before_cursor_execute", self._look)

    def _unlink(self, path: Any, **more: Any) -> None:
        if "sha256" not in Path(path).parts:
            REAL_UNLINK(path, **more)
            return
        self.count()
        is_due = self._count == self._commit
        if is_due and not self._after:
            os.kill(os.getpid(), self._number)
        REAL_UNLINK(path, **more)
        if is_due and self._after:
            os.kill(os.getpid(), self._number)

    def count(self) -> None:
        self._writes = self._every
        self._count += 1
        os.pwrite(self._told, json.dumps(self._count).encode(), 0)


def run_all(job: dict[str, Any], commits: IO[bytes], results: IO[str]) -> None:
    with Death(job, commits.fileno()).expected():
        for args in job["commands"]:
            out, err = io.StringIO(), io.StringIO()
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run(args)
            results.write(json.dumps([code, out.getvalue(), err.getvalue()]) + "\n")
            results.flush()


def carry_out(job: dict[str, Any]) -> dict[str, Any]:
    """Run the commands of a job, in a fork if it is to die there."""
    with tempfile.TemporaryFile() as commits, tempfile.TemporaryFile("w+") as results:
        status = 0
        if not job["commit"]:
            run_all(job, commits, results)
        elif child := os.fork():
            _, status = os.waitpid(child, 0)
        else:
            run_all(job, commits, results)
            os._exit(0)
        results.seek(0)
        done = [json.loads(line) for line in results]
        return {
            "ended": os.waitstatus_to_exitcode(status),
            "commits": int(os.pread(commits.fileno(), 20, 0) or b"0"),
            "done": done,
        }


def main() -> None:
    with pytest.MonkeyPatch.context() as patch:
        made_once.share(patch)
        # To die while the mirror is made means to die while it is migrated.
        patch.setattr(sync.mirror.schema, "_upgrade", made_once.UPGRADE)
        for line in sys.stdin:
            sys.stdout.write(json.dumps(carry_out(json.loads(line))) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
