"""Fetch files beside curl and wget, and tell medians: see README.md."""

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from contestants import HERE, environment, settings_of
from file_server import path_of
from measure import Figures, about, measure, told
from remote import running

CASES = {
    "small": (2000, 64, 0),
    "small at 20 ms": (2000, 64, 20),
    "large": (20, 64 * 1024, 0),
    "none": (0, 64, 0),
}
"""{name: how many files of how many KiB at what latency in ms}; `none` shows what start-up is."""


@dataclass(frozen=True)
class Task:
    """One series of downloads into one fresh folder."""

    url: str
    folder: Path
    files: int
    concurrency: int
    python: str


@dataclass(frozen=True)
class Measure(Figures):
    """What one process took."""

    case: str
    contestant: str


def _ours(task: Task) -> list[str]:
    config = settings_of(task.url, task.folder, f"concurrency = {task.concurrency}")
    return [task.python, "-m", "sync", "backup", "--config", str(config)]


def _curl(task: Task) -> list[str]:
    """Every URL with its output, in one configuration file."""
    config = task.folder / "curl"
    outputs = (
        f'url = "{task.url}{path_of(each)}"\noutput = "files/{each}"\n'
        for each in range(task.files)
    )
    config.write_text("create-dirs\n" + "".join(outputs))
    parallel = ["--parallel", "--parallel-immediate", "--parallel-max", str(task.concurrency)]
    return ["curl", "--silent", "--fail", *parallel, "--config", str(config)]


def _wget(task: Task) -> list[str]:
    """As many wgets side by side as are allowed, each with its share of the list."""
    for share in range(task.concurrency):
        urls = (
            f"{task.url}{path_of(each)}\n" for each in range(share, task.files, task.concurrency)
        )
        (task.folder / f"list{share}").write_text("".join(urls))
    each = 'wget --quiet --directory-prefix files --input-file "$list" &'
    return ["sh", "-c", f"for list in list*; do {each} done; wait"]


def _aria2c(task: Task) -> list[str]:
    urls = task.folder / "list"
    urls.write_text("".join(f"{task.url}{path_of(each)}\n" for each in range(task.files)))
    return [
        *("aria2c", "--quiet", "--dir", "files", "--max-connection-per-server=1"),
        *(f"--max-concurrent-downloads={task.concurrency}", "--input-file", str(urls)),
    ]


CONTESTANTS: Mapping[str, Callable[[Task], list[str]]] = {
    "ours": _ours,
    "curl": _curl,
    "wget": _wget,
    "aria2c": _aria2c,
}


def rounds(options: argparse.Namespace) -> Iterator[Measure]:
    """All repetitions of all cases, contestants taking turns within each."""
    there = [each for each in CONTESTANTS if each == "ours" or shutil.which(each)]
    for missing in CONTESTANTS.keys() - there:
        sys.stderr.write(f"{missing} is not installed, and left out\n")
    for case in options.cases:
        files, size_kib, latency_ms = CASES[case]
        numbers = {"--files": files, "--size-kib": size_kib, "--latency-ms": latency_ms}
        arguments = [str(each) for pair in numbers.items() for each in pair]
        with running("file_server.py", *arguments) as url:
            for number in range(options.runs):
                turn = number % len(there)
                for name in [*there[turn:], *there[:turn]]:
                    if files or name == "ours":
                        yield from _series(options, case, name, url)


def _series(options: argparse.Namespace, case: str, name: str, url: str) -> Iterator[Measure]:
    files, size_kib, _ = CASES[case]
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        task = Task(url, Path(place), files, options.concurrency, options.python)
        # Nobody is charged for what others have still to write.
        os.sync()
        scenarios = ("first", "again") if name == "ours" else ("first",)
        for scenario in scenarios:
            command = CONTESTANTS[name](task)
            figures = measure(command, task.folder, environment(options.checkout.resolve()))
            there = (each for each in (task.folder / "files").rglob("*") if each.is_file())
            # Ours says in a small file whose folder it is.
            sizes = [each.stat().st_size for each in there if each.name != "mirror"]
            if sizes != [size_kib * 1024] * files:
                raise SystemExit(f"{name}: {len(sizes)} files of {sum(sizes)} bytes")
            yield Measure(*vars(figures).values(), f"{case}, {scenario}", name)


def table(measures: Sequence[Measure]) -> Iterator[str]:
    """Medians as Markdown; wall times also as multiples of the fastest other one's."""
    yield "| case | contestant | wall s | to fastest other | CPU s | peak MiB |\n"
    yield "|---|---|--:|--:|--:|--:|\n"
    rows: dict[str, dict[str, list[Measure]]] = {}
    for each in measures:
        rows.setdefault(each.case, {}).setdefault(each.contestant, []).append(each)
    for case, of_case in rows.items():
        walls = {name: median(each.wall_s for each in runs) for name, runs in of_case.items()}
        fastest = min((s for name, s in walls.items() if name != "ours"), default=None)
        for name, runs in of_case.items():
            cells = (
                case,
                name,
                f"{walls[name]:.2f}",
                f"{walls[name] / fastest:.2f}" if fastest else "",
                f"{median(each.cpu_s for each in runs):.2f}",
                f"{median(each.peak_mib for each in runs):.0f}",
            )
            yield f"| {' | '.join(cells)} |\n"


def main() -> None:
    """Read the command line, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--cases", nargs="+", choices=CASES, default=list(CASES))
    add("--runs", type=int, default=5)
    add("--concurrency", type=int, default=4)
    add("--checkout", type=Path, default=HERE.parents[1], help="which state of ours to measure")
    add("--python", default=sys.executable, help="interpreter with the dependencies of ours")
    add("--folder", type=Path, help="where files are written; default: the system's")
    options = parser.parse_args()
    sys.stdout.write(told(about(options.runs, options.concurrency)))
    measures = []
    for each in rounds(options):
        sys.stderr.write(" ".join(f"{n}={v}" for n, v in asdict(each).items()) + "\n")
        measures.append(each)
    sys.stdout.writelines(table(measures))


if __name__ == "__main__":
    main()
