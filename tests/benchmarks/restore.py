"""Restore an agent that lost everything, and hold the time against the mere waiting: see README.md.

Beside ours, as many calls of one sort as ours makes are sent to the same remote from as many
threads, with nothing around them.
"""

import argparse
import json
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import requests
from contestants import HERE, environment, settings_of
from measure import about, measure, told
from remote import running


@dataclass(frozen=True)
class Measure:
    """One restore, and as many bare calls.

    Attributes:
        calls: that the restore made, its listings among them.
        waiting_s: what they would take if nothing but the latency took time.
    """

    wall_s: float
    cpu_s: float
    peak_mib: float
    calls: int
    waiting_s: float
    bare_s: float


def _control(url: str, what: str) -> str:
    call = urllib.request.Request(f"{url}/control/{what}", method="PUT")
    with urllib.request.urlopen(call) as answer:
        return str(answer.read().decode())


def _bare(url: str, calls: int, concurrency: int) -> float:
    """Seconds that so many small calls take, each thread with a connection of its own."""

    def send(number: int) -> None:
        with requests.Session() as session:
            for _ in range(number):
                session.post(f"{url}/nowhere", json={}).close()

    started = time.perf_counter()
    with ThreadPoolExecutor(concurrency) as pool:
        list(pool.map(send, [calls // concurrency] * concurrency))
    return time.perf_counter() - started


def rounds(options: argparse.Namespace) -> Iterator[Measure]:
    """Each with a fresh remote and a fresh mirror."""
    for _ in range(options.runs):
        with (
            running("restore_server.py", "--objects", str(options.objects)) as url,
            tempfile.TemporaryDirectory(dir=options.folder) as place,
        ):
            folder = Path(place)
            config = settings_of(url, folder, f"concurrency = {options.concurrency}")
            ours = [options.python, "-m", "sync"]
            ends = ["--config", str(config), "--json"]
            known = environment(options.checkout.resolve())
            measure([*ours, "backup", *ends], folder, known)
            _control(url, f"lose/{options.latency_ms}")
            figures = measure([*ours, "restore", "--yes", *ends], folder, known)
            calls = int(_control(url, "calls"))
            last = (folder / "log").read_text().splitlines()[-1]
            if not json.loads(last)["verified"]:
                raise SystemExit(last)
            waiting_s = calls * options.latency_ms / 1000 / options.concurrency
            bare_s = _bare(url, calls, options.concurrency)
            yield Measure(figures.wall_s, figures.cpu_s, figures.peak_mib, calls, waiting_s, bare_s)


def table(measures: Sequence[Measure]) -> Iterator[str]:
    """Medians as Markdown."""
    yield "| calls | ours, wall s | to waiting | to bare calls | CPU s | peak MiB |\n"
    yield "|--:|--:|--:|--:|--:|--:|\n"
    wall_s = median(each.wall_s for each in measures)
    cells = (
        f"{median(each.calls for each in measures):.0f}",
        f"{wall_s:.2f}",
        f"{median(each.wall_s / each.waiting_s for each in measures):.2f}",
        f"{median(each.wall_s / each.bare_s for each in measures):.2f}",
        f"{median(each.cpu_s for each in measures):.2f}",
        f"{median(each.peak_mib for each in measures):.0f}",
    )
    yield f"| {' | '.join(cells)} |\n"


def main() -> None:
    """Read the command line, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--objects", type=int, default=5000)
    add("--latency-ms", type=float, default=20)
    add("--runs", type=int, default=3)
    add("--concurrency", type=int, default=4)
    add("--checkout", type=Path, default=HERE.parents[1], help="which state of ours to measure")
    add("--python", default=sys.executable, help="interpreter with the dependencies of ours")
    add("--folder", type=Path, help="where mirrors are written; default: the system's")
    options = parser.parse_args()
    sys.stdout.write(told(about(options.runs, options.concurrency)))
    measures = []
    for each in rounds(options):
        sys.stderr.write(f"{each}\n")
        measures.append(each)
    sys.stdout.writelines(table(measures))


if __name__ == "__main__":
    main()
