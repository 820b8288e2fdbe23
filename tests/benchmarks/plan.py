"""Plan a restore of a large agent, beside the least that anyone could do: see README.md.

A mirror is made that holds an agent in two states (`contents.py`). Each contestant is one process
that reads both from it and tells how they differ: ours as a restore does, the naive one by
`json.loads` of every document and comparing dictionaries, without matching, refs, URLs or order.
"""

# ruff: noqa: PLC0415 - nobody is charged for what only another contestant imports

import argparse
import json
import os
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from statistics import median

from contents import MEMORI_ID, asset_file, documents, sizes
from contestants import HERE, environment
from measure import Figures, about, measure, told

_SNAPSHOT = "SELECT min(id) FROM snapshot WHERE source_id = 2"


def ours(database: Path) -> Counter[str]:
    """What a restore reads and plans before it asks; returns {op: how many steps}."""
    from sync.kind import Scope
    from sync.kinds import KINDS
    from sync.mirror.journal import Journal
    from sync.mirror.mirror import Mirror
    from sync.plan import Terms, plan
    from sync.target import Target
    from sync.wanted import read_wanted

    mirror = Mirror(f"sqlite:///{database}", KINDS)
    kinds = {name: each for name, each in KINDS.items() if each.create or each.update}
    owner, target = mirror.sources()
    snapshot = next(each for each in mirror.snapshots() if each.source.scope is Scope.MEMORI)
    started = time.perf_counter()
    wanted = read_wanted(mirror, kinds, owner, snapshot, target)
    read = time.perf_counter()
    there = Target(mirror, target, owner, kinds, Journal(mirror, target), wanted.objects)
    live = there.live(wanted.objects)
    listed = time.perf_counter()
    made = plan(
        wanted.objects, live, kinds, {}, frozenset(wanted.files), Terms(only_made=wanted.foreign)
    )
    planned = time.perf_counter()
    mirror.close()
    times = (read - started, listed - read, planned - listed)
    sys.stdout.write("wanted {:.2f} s, live {:.2f} s, plan {:.2f} s\n".format(*times))
    return Counter(step.op for step in made.steps)


def naive(database: Path) -> Counter[str]:
    """Both states as dictionaries, compared; returns {op: how many documents}."""
    state = "SELECT kind, key, document FROM change WHERE op != 'deleted' AND kind != 'file' AND "
    at = "snapshot_id <= ? AND (superseded_in IS NULL OR superseded_in > ?)"
    with closing(sqlite3.connect(database)) as connection:
        (snapshot,) = connection.execute(_SNAPSHOT).fetchone()
        rows = connection.execute(state + at, (snapshot, snapshot))
        wanted = {(kind, key): json.loads(text) for kind, key, text in rows}
        rows = connection.execute(state + "superseded_in IS NULL")
        live = {(kind, key): json.loads(text) for kind, key, text in rows}
    ops = Counter("create" for ident in wanted if ident not in live)
    ops["update"] = sum(1 for each in wanted if each in live and wanted[each] != live[each])
    return ops


CONTESTANTS: Mapping[str, Callable[[Path], Counter[str]]] = {"ours": ours, "naive": naive}


def build(database: Path, objects: int) -> None:
    """Make the mirror of an agent that was backed up in both states."""
    from sync.kinds import KINDS
    from sync.kinds.file import FILE
    from sync.mirror.mirror import Mirror
    from sync.mirror.values import FileCounts, Status

    mirror = Mirror(f"sqlite:///{database}", KINDS)
    mirror.migrate()
    owner = mirror.register_account("bench", "bench")
    agent = mirror.register_memori(MEMORI_ID, "Guide", "engine")
    files = (
        {"key": f"asset/{asset_file(each)}", "status": "stored", "sha256": f"{each:064x}"}
        for each in range(sizes(objects)["asset"])
    )
    for later in (False, True):
        run_id = mirror.next_run_id()
        for source, names in ((owner, ("asset",)), (agent, ("person", "memory"))):
            snapshot_id = mirror.start_snapshot(source, run_id, "manual")
            with mirror.staging(source, snapshot_id) as staging:
                for name in names:
                    family = [KINDS[name], *([KINDS["medium"]] if name == "memory" else [])]
                    for kind in family:
                        staging.record(kind, documents(kind.name, objects, later=later))
                    for gone in list(staging.absent(family[0])):
                        staging.note_gone(family[0], family[0].key_of(gone))
                    staging.commit(family)
                if source is owner and not later:
                    staging.record(FILE, files)
                    staging.commit([FILE])
            mirror.finish_snapshot(snapshot_id, Status.COMPLETE, FileCounts())
    mirror.close()


def table(measures: Mapping[str, list[Figures]]) -> str:
    """Medians as Markdown; wall times also as multiples of the naive one's."""
    lines = ["| contestant | wall s | to naive | CPU s | peak MiB |\n|---|--:|--:|--:|--:|\n"]
    walls = {name: median(each.wall_s for each in runs) for name, runs in measures.items()}
    for name, runs in measures.items():
        cells = (
            name,
            f"{walls[name]:.2f}",
            f"{walls[name] / walls['naive']:.2f}" if "naive" in walls else "",
            f"{median(each.cpu_s for each in runs):.2f}",
            f"{median(each.peak_mib for each in runs):.0f}",
        )
        lines.append(f"| {' | '.join(cells)} |\n")
    return "".join(lines)


def main() -> None:
    """Read the command line, measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--objects", type=int, default=100_000)
    add("--runs", type=int, default=5)
    add("--contestants", nargs="+", choices=CONTESTANTS, default=list(CONTESTANTS))
    add("--checkout", type=Path, default=HERE.parents[1], help="which state of ours to measure")
    add("--python", default=sys.executable, help="interpreter with the dependencies of ours")
    add("--folder", type=Path, help="where the mirror is written; default: the system's")
    add("--mirror", type=Path, help="use this one, or make it there and leave it")
    add("--only", choices=CONTESTANTS, help="one contestant, in this process, over --mirror")
    options = parser.parse_args()
    if options.only:
        sys.stdout.write(f"{dict(CONTESTANTS[options.only](options.mirror))}\n")
        return
    sys.stdout.write(told(about(options.runs, 1)))
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        mirror = options.mirror or Path(place) / "mirror.db"
        if not mirror.exists():
            _run_apart(build, mirror, options.objects)
        measures: dict[str, list[Figures]] = {name: [] for name in options.contestants}
        for number in range(options.runs):
            turn = number % len(options.contestants)
            for name in [*options.contestants[turn:], *options.contestants[:turn]]:
                command = [options.python, __file__, "--only", name, "--mirror", str(mirror)]
                figures = measure(command, Path(place), environment(options.checkout.resolve()))
                sys.stderr.write(f"{name}: {figures}\n{(Path(place) / 'log').read_text()}")
                measures[name].append(figures)
    sys.stdout.write(table(measures))


def _run_apart(work: Callable[[Path, int], None], database: Path, objects: int) -> None:
    """Do work in a process of its own: a child is born with the peak memory of its parent."""
    sys.stdout.flush()
    if child := os.fork():
        _, status = os.waitpid(child, 0)
        if status:
            raise SystemExit("the mirror was not made")
        return
    work(database, objects)
    os._exit(0)


if __name__ == "__main__":
    main()
