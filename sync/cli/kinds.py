"""`aisuru-sync kinds`: what is mirrored, and what of it can come back."""

from typing import TYPE_CHECKING

from sync.cli.door import Door, Reply, table
from sync.cli.door import command as make_command

if TYPE_CHECKING:
    from sync.kind import Kind


@make_command(name="kinds", short_help="List what is mirrored and what can be restored.")
def command(_: Door) -> Reply:
    """List the kinds of objects: where each comes from, and whether it can be restored."""
    from sync.kinds import KINDS

    rows = [(each.name, each.scope, each.about, restored(each)) for each in KINDS.values()]
    kinds = [
        {
            "name": each.name,
            "scope": each.scope,
            "about": each.about,
            "parent": each.parent.kind if each.parent else None,
            "restorable": not each.not_restorable,
            "why_not": each.not_restorable or None,
            "fields": sorted(each.declared),
        }
        for each in KINDS.values()
    ]
    return Reply(data={"kinds": kinds}, text=[table("kind", "of", "what", "restored", rows=rows)])


def restored(kind: "Kind") -> str:
    """Say what of a kind can come back."""
    if not kind.not_restorable:
        lacks = [f"without {name}" for name in sorted(kind.secret)]
        lacks += [] if kind.update else ["changed ones only with --recreate"]
        return ", ".join(["yes", *lacks])
    return f"{'changes only' if kind.update else 'no'}: {kind.not_restorable}"
