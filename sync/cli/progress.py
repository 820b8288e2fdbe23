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
        tasks: dict[tuple[str, str], TaskID] = {}

        def watch(source: str, what: str, done: int, total: int | None) -> None:
            name = (source, what)
            if name not in tasks:
                tasks[name] = bars.add_task(f"{source}: {what}", total=total)
            bars.update(tasks[name], completed=done, total=total)

        yield watch
