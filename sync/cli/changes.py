"""How changes and differences are told: as JSON (design 9) and as lines of a terminal's width."""

import json
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from sync.change import UPDATED
from sync.cli.door import WIDTH
from sync.cli.report import source_json
from sync.history import Logged
from sync.lives import Difference
from sync.mirror.values import Source
from sync.when import local

_CONTEXT = 20


def logged_json(change: Logged) -> dict[str, Any]:
    """A change, as JSON tells it."""
    return {**vars(change), "source": source_json(change.source), "fields": list(change.fields)}


def difference_json(source: Source, difference: Difference) -> dict[str, Any]:
    """A difference between two snapshots of a source, as JSON tells it."""
    fields = {name: list(both) for name, both in difference.fields.items()}
    return {"source": source_json(source), **vars(difference), "fields": fields}


def log_lines(changes: Iterable[Logged]) -> Iterator[str]:
    """Changes as a person reads them, under the snapshots that saw them."""
    snapshot_id = None
    for each in changes:
        if each.snapshot_id != snapshot_id:
            seen = local(each.seen_at)
            yield from [] if snapshot_id is None else [""]
            yield f"snapshot {each.snapshot_id} of {each.source.name}, {seen}"
            snapshot_id = each.snapshot_id
        yield from textwrap.indent(_heading(each, WIDTH - 2), "  ").splitlines()
        if each.fields:
            yield from textwrap.wrap(
                ", ".join(each.fields), WIDTH, initial_indent="    ", subsequent_indent="    "
            )
        if each.is_before_forgotten:
            yield "    what it was before is forgotten"
    if snapshot_id is None:
        yield "no changes"


def diff_lines(differences: Iterable[Difference], width: int = WIDTH) -> Iterator[str]:
    """Differences as a person reads them: each object, and what its fields were and are."""
    is_first = True
    for each in differences:
        yield from [] if is_first else [""]
        is_first = False
        yield from _heading(each, width).splitlines()
        for name, (old, new) in each.fields.items():
            room = max(width - len(name) - 6, _CONTEXT)
            both = contrast(_value(old), _value(new), room)
            for sign, value, line in zip("-+", (old, new), both, strict=True):
                # Of what is new or gone as a whole, what is empty says nothing.
                if value is not None and (each.op == UPDATED or value not in ("", [], {})):
                    yield f"  {sign} {name}: {line}"
    if is_first:
        yield "no differences"


def contrast(old: str, new: str, room: int) -> tuple[str, str]:
    """Cut two values to a width so that where they begin to differ can be seen."""
    if len(old) <= room and len(new) <= room:
        return old, new
    same = next((n for n, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)
    start = max(0, (min(len(old), len(new)) if same is None else same) - _CONTEXT)
    if start < _CONTEXT or not (old and new):
        return short(old, room), short(new, room)
    return short(f"…{old[start:]}", room), short(f"…{new[start:]}", room)


def short(text: str, room: int) -> str:
    """A text cut to a number of columns; wide characters take two."""
    from rich.text import Text

    cut = Text(text[: room + 1])
    cut.truncate(room, overflow="ellipsis")
    return cut.plain


def _heading(each: Logged | Difference, room: int) -> str:
    start = f"{each.op} {each.kind} {each.key}"
    title = " ".join(each.title.split())
    if title and title != each.key and len(start) + 10 < room:
        start += f" {short(title, room - len(start) - 1)}"
    return start + (f"\n  was {each.was}" if each.was else "")


def _value(value: Any) -> str:
    """A value in one line: texts as they are, where that is not misleading, the rest as JSON."""
    if value is None:
        return ""
    is_plain = isinstance(value, str) and value == " ".join(value.split()) and value
    return value if is_plain else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
