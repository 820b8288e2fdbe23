"""Tell where the time of a backup goes, by our own functions: see README.md.

The backup runs in this process. By default a timer looks every millisecond which of our functions
is at work, itself or by what it called; a look counts for the time since the one before, because
none happens within a long statement of SQLite. That costs little and so distorts little. With
`--exact`, cProfile counts calls instead, and makes small Python functions look dearer than they
are.
"""

import argparse
import cProfile
import os
import pstats
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from contestants import CONTESTANTS, HERE, Task, environment
from remote import serving

_EVERY_S = 0.001
_TOP = 25


class Sampler:
    """Looks at the main thread at regular times.

    Args:
        checkout: where our own functions live.
    """

    def __init__(self, checkout: Path) -> None:
        self.own: defaultdict[str, float] = defaultdict(float)
        self.within: defaultdict[str, float] = defaultdict(float)
        self._mine = f"{checkout}{os.sep}sync{os.sep}"

    def __call__(self, work: Callable[[], Any]) -> None:
        """Do `work`, and look on."""
        before = signal.signal(signal.SIGALRM, self._look)
        self._last = time.perf_counter()
        signal.setitimer(signal.ITIMER_REAL, _EVERY_S, _EVERY_S)
        try:
            work()
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)

    def _look(self, _: int, frame: FrameType | None) -> None:
        now = time.perf_counter()
        since, self._last = now - self._last, now
        innermost, names = "", set()
        while frame:
            path = frame.f_code.co_filename
            if path.startswith(self._mine):
                name = f"{path.removeprefix(self._mine)} {frame.f_code.co_qualname}"
                innermost = innermost or f"{name}, line {frame.f_lineno}"
                names.add(name)
            frame = frame.f_back
        self.own[innermost or "(none of ours)"] += since
        for name in names:
            self.within[name] += since

    def report(self) -> None:
        """Print both views."""
        total = sum(self.own.values())
        for title, times in (("innermost of ours", self.own), ("with all below", self.within)):
            sys.stdout.write(f"\n    s      %  {title}\n")
            for name, time_s in sorted(times.items(), key=lambda item: -item[1])[:_TOP]:
                sys.stdout.write(f"{time_s:5.2f} {time_s / total:6.1%}  {name}\n")


def main() -> None:
    """Read the command line, back up twice, and print where the time went."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--page-size", type=int, default=1000)
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--concurrency", type=int, default=4)
    parser.add_argument("--checkout", type=Path, default=HERE.parents[1])
    parser.add_argument("--exact", action="store_true", help="cProfile instead of sampling")
    options = parser.parse_args()
    checkout = options.checkout.resolve()
    sys.path.insert(0, str(checkout))
    os.environ |= environment(checkout)
    _start_up()
    with tempfile.TemporaryDirectory() as folder, serving(options.people) as remote:
        python = {"ours": sys.executable}
        task = Task(remote.url, Path(folder), options.page_size, options.concurrency, python)
        args = [*CONTESTANTS["ours"].command(task)[3:], "-q"]
        for scenario, data in (("first sync", "base"), ("nothing changed", "base")):
            remote.switch(data, options.latency_ms)
            sys.stdout.write(f"\n== {scenario}, {options.people} people\n")
            _profile(args, checkout, is_exact=options.exact)


def _start_up() -> None:
    """Print how long the process takes without any work, and what it imports for it."""
    for args in (["-c", "pass"], ["-m", "sync", "--version"], ["-c", _IMPORTS]):
        started = time.perf_counter()
        subprocess.run([sys.executable, *args], check=True, stdout=subprocess.DEVNULL)
        sys.stdout.write(f"{time.perf_counter() - started:5.2f} s  python {' '.join(args)}\n")


_IMPORTS = "import sync.cli.backup, sync.backup, sync.app, sync.cli.report, sync.cli.progress"


def _profile(args: list[str], checkout: Path, *, is_exact: bool) -> None:
    # Start-up is told apart: here all is imported.
    for name in _IMPORTS.removeprefix("import ").split(", "):
        __import__(name)
    from sync.cli import run  # noqa: PLC0415 - of the checkout that was asked for

    started = time.perf_counter()
    if is_exact:
        profiler = cProfile.Profile()
        profiler.runcall(run, args)
        stats = pstats.Stats(profiler)
        stats.sort_stats("cumulative").print_stats(f"{checkout}/sync/|method|built-in", _TOP * 2)
        return
    sampler = Sampler(checkout)
    sampler(lambda: run(args))
    sys.stdout.write(f"{time.perf_counter() - started:.2f} s in all\n")
    sampler.report()


if __name__ == "__main__":
    main()
