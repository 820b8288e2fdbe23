"""`restore --give-up`: closing a restore that nobody will go on with, and what is told of it."""

from sync.app import App
from sync.cli.door import Reply
from sync.cli.report import source_json
from sync.resume import give_up
from sync.when import local
from sync.wording import counted


def giving_up(app: App, restore_id: int) -> Reply:
    """Close a restore as it is.

    Raises:
        UsageError: there is none, or it is complete.
        as `App.mending`.
    """
    with app.mending("giving up a restore") as mirror:
        given_up = give_up(mirror, restore_id)
    past, begun = given_up.past, given_up.begun
    target = past.target.name
    what = f"restore {past.id} of {target}, begun {local(past.started_at)}"
    did = counted(given_up.done, "step")
    text = [
        f"{what}, is given up: what it did stays ({did}), and nothing was sent",
        *(f"so is restore {each}, which it had taken up" for each in given_up.with_it),
    ]
    unknown = (
        f"of {counted(begun, 'call')} nobody knows what came of it: the next restore into {target}"
        " finds out, and until then prune keeps what that needs"
    )
    trouble = [unknown] if begun else []
    return Reply(
        data={
            "restore_id": past.id,
            "snapshot_id": past.snapshot_id,
            "target": source_json(past.target),
            "status": "given_up",
            "steps": {"done": given_up.done, "failed": given_up.failed, "begun": begun},
            "given_up_with_it": list(given_up.with_it),
        },
        text=[*text, *trouble],
        is_prose=True,
        trouble=trouble,
    )
