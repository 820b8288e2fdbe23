"""Run the contestants against the page server, and tell medians: see README.md."""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from statistics import median

from contestants import CONTESTANTS, HERE, Contestant, Task, ask, environment
from measure import Figures, about, measure, told
from people import CHANGED, LEAVING, is_changed, key_of
from remote import Remote, serving

SCENARIOS = {"first sync": "base", "nothing changed": "base", "1 % changed": "changed"}
"""{what is measured, in this order: what the server shows}"""

_PARTIAL = 3


@dataclass(frozen=True)
class Measure(Figures):
    """What one process took, at what."""

    people: int
    page_size: int
    latency_ms: float
    scenario: str
    contestant: str


@dataclass(frozen=True)
class Truth:
    """What a contestant believes after a sync during which the list shifted.

    Attributes:
        lost: living people whom it does not have as living.
        closed: living people whom it has as deleted.
    """

    people: int
    page_size: int
    when: str
    contestant: str
    lost: int
    closed: int
    exit_code: int


class Bench:
    """What all measurements share.

    Args:
        options: of the command line.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._python = {
            "ours": options.python,
            "script": options.python,
            "dlt": options.dlt_python,
        }
        self._contestants = [CONTESTANTS[name] for name in options.contestants]
        self._environment = environment(options.checkout.resolve())

    def warm_up(self) -> None:
        """Let everyone run once, so that all is compiled and whoever cannot run says so now."""
        with serving(1000) as remote:
            for _ in self._round(remote, 1000, 100, 0.0, 0):
                pass

    def speed(self, remote: Remote, people: int) -> Iterator[Measure]:
        """All repetitions of all scenarios, contestants taking turns within each."""
        options = self._options
        for page_size, latency_ms in product(options.page_size, options.latency_ms):
            for number in range(options.runs):
                yield from self._round(remote, people, page_size, latency_ms, number)

    def truth(self, remote: Remote, people: int) -> Iterator[Truth]:
        """What everyone believes after the list shifted in their first sync, and in a later one."""
        living = {key_of(number) for number in range(LEAVING, people)}
        for page_size, contestant in product(self._options.page_size, self._contestants):
            for when in ("first sync", "later sync"):
                with tempfile.TemporaryDirectory(dir=self._options.folder) as folder:
                    task = self._task(remote, Path(folder), page_size)
                    if when == "later sync":
                        remote.switch("base", 0)
                        self._measure(contestant, task, (0,))
                    remote.switch("shifting", 0)
                    exit_code = self._measure(contestant, task, (0, _PARTIAL)).exit_code
                    current = {key for key, _ in ask(contestant, task.folder, contestant.current)}
                    deleted = {key for (key,) in ask(contestant, task.folder, contestant.deleted)}
                lost, closed = len(living - current), len(living & deleted)
                yield Truth(people, page_size, when, contestant.name, lost, closed, exit_code)

    def _round(
        self, remote: Remote, people: int, page_size: int, latency_ms: float, number: int
    ) -> Iterator[Measure]:
        turn = number % len(self._contestants)
        order = [*self._contestants[turn:], *self._contestants[:turn]]
        with tempfile.TemporaryDirectory(dir=self._options.folder) as folder:
            tasks = {each.name: self._task(remote, Path(folder), page_size) for each in order}
            for scenario, data in SCENARIOS.items():
                for contestant in order:
                    remote.switch(data, latency_ms)
                    task = tasks[contestant.name]
                    figures = self._measure(contestant, task, (0,))
                    _verify(contestant, task, people, data)
                    what = (people, page_size, latency_ms, scenario, contestant.name)
                    yield Measure(*vars(figures).values(), *what)

    def _task(self, remote: Remote, folder: Path, page_size: int) -> Task:
        return Task(remote.url, folder, page_size, self._options.concurrency, self._python)

    def _measure(self, contestant: Contestant, task: Task, accepted: Sequence[int]) -> Figures:
        return measure(
            contestant.command(task),
            task.folder,
            self._environment,
            accepted,
            self._options.limit_s,
        )


def _verify(contestant: Contestant, task: Task, people: int, data: str) -> None:
    """Refuse a measurement of a sync that did not do its work."""
    query = f"SELECT count(*), sum(information LIKE '%{CHANGED}') FROM ({contestant.current})"
    changed = sum(map(is_changed, range(people))) if data == "changed" else 0
    if (found := ask(contestant, task.folder, query)) != [(people, changed)]:
        raise SystemExit(
            f"{contestant.name}: {found} instead of {people} people, {changed} changed"
        )


def speed_table(measures: Sequence[Measure]) -> Iterator[str]:
    """Medians as Markdown; wall times also as multiples of the script's in the same case."""
    yield "| people | page | latency ms | scenario | contestant | wall s | to script | CPU s "
    yield "| µs wall per person | peak MiB |\n|--:|--:|--:|---|---|--:|--:|--:|--:|--:|\n"
    cases: dict[tuple[int, int, float, str], dict[str, list[Measure]]] = {}
    for each in measures:
        case = (each.people, each.page_size, each.latency_ms, each.scenario)
        cases.setdefault(case, {}).setdefault(each.contestant, []).append(each)
    for case, rows in cases.items():
        walls = {name: median(each.wall_s for each in runs) for name, runs in rows.items()}
        for name, runs in rows.items():
            wall_s, script_s = walls[name], walls.get("script")
            cells = (
                *(f"{each:g}" if isinstance(each, float) else str(each) for each in case),
                name,
                f"{wall_s:.2f}",
                f"{wall_s / script_s:.2f}" if script_s else "",
                f"{median(each.cpu_s for each in runs):.2f}",
                f"{wall_s / case[0] * 1e6:.1f}",
                f"{median(each.peak_mib for each in runs):.0f}",
            )
            yield f"| {' | '.join(cells)} |\n"


def truth_table(truths: Sequence[Truth]) -> Iterator[str]:
    """The rows of truth as Markdown."""
    yield "| people | page | shifting during | contestant | living lost "
    yield "| living closed as deleted | exit code |\n|--:|--:|---|---|--:|--:|--:|\n"
    for each in truths:
        yield f"| {' | '.join(map(str, asdict(each).values()))} |\n"


def main() -> None:
    """Read the command line, measure, and print."""
    options = _options()
    bench = Bench(options)
    measures: list[Measure] = []
    truths: list[Truth] = []
    facts = about(options.runs, options.concurrency)
    sys.stdout.write(told(facts))
    bench.warm_up()
    for people in options.people:
        with serving(people) as remote:
            for measure in bench.speed(remote, people):
                measures.append(measure)
                _tell(measure)
    # Last, because its sets would raise the peak memory that a child is born with.
    for people in options.truth_people:
        with serving(people) as remote:
            for truth in bench.truth(remote, people):
                truths.append(truth)
                _tell(truth)
    sys.stdout.writelines((*speed_table(measures), "\n", *truth_table(truths)))
    if options.json:
        raw = {"about": facts, "speed": [asdict(each) for each in measures]}
        options.json.write_text(
            json.dumps({**raw, "truth": [asdict(each) for each in truths]}, indent=1)
        )


def _tell(figures: Measure | Truth) -> None:
    sys.stderr.write(" ".join(f"{n}={v}" for n, v in asdict(figures).items()) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--people", type=int, nargs="+", default=[10_000, 100_000, 500_000])
    add("--page-size", type=int, nargs="+", default=[1000, 100])
    add("--latency-ms", type=float, nargs="+", default=[0.0, 50.0])
    add("--runs", type=int, default=5)
    add("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    add("--truth-people", type=int, nargs="*", default=[10_000], help="sizes of the rows of truth")
    add("--concurrency", type=int, default=4, help="of ours; the others fetch pages in turn")
    add("--checkout", type=Path, default=HERE.parents[1], help="which state of ours to measure")
    add("--python", default=sys.executable, help="interpreter with the dependencies of ours")
    add("--dlt-python", default=sys.executable, help="interpreter with dlt[sqlalchemy]")
    add("--folder", type=Path, help="where databases are written; default: the system's")
    add("--limit-s", type=float, default=1800, help="how long one process may take")
    add("--json", type=Path, help="write every single measurement here")
    return parser.parse_args()


if __name__ == "__main__":
    main()
