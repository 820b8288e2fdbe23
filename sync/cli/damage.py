"""How damage is told, and how the mirror compares with the remote."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from sync.check import Damage
from sync.cli.door import table
from sync.cli.report import source_json
from sync.compare import Comparison, Verdict

if TYPE_CHECKING:
    from rich.console import RenderableType

_LINES = 20
"""How many lines of damage are worth reading."""


def damage_json(found: Iterable[Damage]) -> list[dict[str, str]]:
    """What is damaged, as JSON tells it."""
    names = ("what", "where", "problem")
    return [
        {name: getattr(each, name) for name in (*names, *(["why"] if each.why else []))}
        for each in found
    ]


def damage_lines(found: Sequence[Damage], head: str = "") -> list[str]:
    """What is damaged, a line each, or the first lines and what else there is.

    Args:
        found: all of it.
        head: what each line begins with.
    """
    lines = [
        f"{head}{each.what} {each.where}: {each.problem}" + (f" ({each.why})" if each.why else "")
        for each in found[:_LINES]
    ]
    if rest := Counter(each.what for each in found[_LINES:]):
        kinds = ", ".join(f"{number} {what}" for what, number in rest.items())
        lines.append(f"{head}and {rest.total()} more: {kinds}; --json tells all")
    return lines


def comparison_json(comparison: Comparison) -> dict[str, Any]:
    """How the mirror compares with the remote, as JSON tells it."""
    return {
        "kinds": [
            {
                "source": source_json(each.source) if each.source else None,
                "kind": each.kind,
                "held": each.held,
                "listed": each.listed,
                **{verdict: each.verdicts.get(verdict, 0) for verdict in Verdict},
            }
            for each in comparison.compared
        ],
        "not_shown": [source_json(each) for each in comparison.not_shown],
        "only_counted": list(comparison.only_counted),
        "errors": [{"what": what, "why": str(why)} for what, why in comparison.errors.items()],
    }


def comparison_text(comparison: Comparison) -> "list[RenderableType]":
    """How the mirror compares with the remote, a line for each kind."""
    columns = ("held", "remote", *Verdict)
    rows = [
        (
            each.source.name if each.source else "",
            each.kind if each.source else "(files)",
            each.held,
            each.listed,
            *(each.verdicts.get(verdict) for verdict in Verdict),
        )
        for each in comparison.compared
    ]
    counted = ", ".join(comparison.only_counted)
    why = "the remote shows none of them by itself"
    return [
        *([table("source", "kind", *columns, rows=rows, right=columns)] if rows else []),
        *(f"{each.name}: the account does not show it any more" for each in comparison.not_shown),
        *([f"not compared, only counted: {counted} ({why})"] if counted else []),
        *(f"{what} was not compared: {error}" for what, error in comparison.errors.items()),
    ]
