"""Progress of long work: bars on a terminal, nothing elsewhere."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sync.watch import Watch


@contextmanager
def progress() -> Iterator[Watch]:
    """Give a job something to tell its progress to."""
    if not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}
        sources: set[str] = set()

        def watch(source: str, what: str, done: int, total: int | None) -> None:
            if source not in sources:
                # All bars are drawn again and again: those of hundreds of agents would take longer
                # than what they tell of.
                for each in tasks.values():
                    bars.remove_task(each)
                tasks.clear()
                sources.clear()
                sources.add(source)
            if what not in tasks:
                tasks[what] = bars.add_task(f"{source}: {what}", total=total)
            # More may come than was counted.
            bars.update(
                tasks[what], completed=done, total=None if total is None else max(total, done)
            )

        yield watch
