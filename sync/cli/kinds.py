"""`aisuru-sync kinds`: what is mirrored, and what of it can come back."""

from typing import TYPE_CHECKING, Any

import click

from sync.cli.door import Door, Reply, make_command, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sync.kind import Kind


@make_command(
    click.Argument(["kind"], required=False),
    name="kinds",
    short_help="List what is mirrored and what can be restored.",
)
def command(_: Door, kind: str | None) -> Reply:
    """List the kinds of objects: where each comes from, and whether it can be restored.

    With KIND, tell of one kind by which calls it is read and written, and what each of its fields
    counts for.
    """
    from sync.backup import choose_kinds
    from sync.kinds import KINDS

    if kind is None:
        rows = [(each.name, each.scope, each.about, restored(each)) for each in KINDS.values()]
        text: list[RenderableType] = [table("kind", "of", "what", "restored", rows=rows)]
    else:
        choose_kinds(frozenset({kind}), KINDS)
        text = _details(KINDS[kind])
    shown = KINDS.values() if kind is None else [KINDS[kind]]
    return Reply(data={"kinds": [_told(each) for each in shown]}, text=text)


def restored(kind: "Kind") -> str:
    """Say what of a kind can come back."""
    if not kind.not_restorable:
        lacks = [f"without {name}" for name in sorted(kind.secret)]
        lacks += [] if kind.update else ["changed ones only with --recreate"]
        return ", ".join(["yes", *lacks])
    return f"{'changes only' if kind.update else 'no'}: {kind.not_restorable}"


def _told(kind: "Kind") -> dict[str, Any]:
    return {
        "name": kind.name,
        "scope": kind.scope,
        "about": kind.about,
        "parent": kind.parent.kind if kind.parent else None,
        "personal": kind.is_personal,
        "restorable": not kind.not_restorable,
        "why_not": kind.not_restorable or None,
        "calls": _calls(kind),
        "fields": sorted(kind.declared),
        "tracked": sorted({*kind.writable, *kind.create_only, *kind.assigned}),
        "sent": sorted({*kind.writable, *kind.create_only}),
        "never_kept": sorted(kind.secret),
    }


def _calls(kind: "Kind") -> dict[str, str]:
    routes = {
        "list": kind.list,
        "get": kind.get,
        "create": kind.create,
        "update": kind.update,
        "delete": kind.delete,
    }
    return {op: f"{each.method} {each.template}" for op, each in routes.items() if each}


def _details(kind: "Kind") -> "list[RenderableType]":
    parts = {
        "changes, and is sent": kind.writable,
        "changes, sent only with a new one": kind.create_only,
        "changes, is never sent": kind.assigned,
        "is kept, but no change": kind.volatile,
        "is never kept": kind.secret,
    }
    rows = [(what, ", ".join(sorted(fields))) for what, fields in parts.items() if fields]
    return [
        f"{kind.name}: {kind.about}",
        f"restored: {restored(kind)}\n",
        table("does", "by", rows=list(_calls(kind).items())),
        "",
        table("what", "fields", rows=rows),
    ]
