"""`aisuru-sync repair`: put back what is damaged."""

from sync.cli.door import Door, Reply, make_command
from sync.errors import DamageFound, worst


@make_command(name="repair", short_help="Put back what `check` finds damaged.")
def command(door: Door) -> Reply:
    """Put back what `check` finds damaged, as far as it can be had.

    Rows are written again from history, or history from a row that proves it; a row that history
    does not know is kept. Files are fetched again, and count only if they are the very bytes that
    were stored; then damaged ones are kept in the folder `damaged` beside them. Asks the remote
    only if a file is damaged. Exit code 4 means that something is left, which is told with the
    reason.
    """
    from sync.cli.damage import damage_json, damage_lines
    from sync.cli.progress import progress
    from sync.repair import repair

    app = door.app()
    with app.mending("a repair") as mirror, progress() as watch:
        result = repair(mirror, app.store, app.kinds, app.account, app.means, watch)
    done, left = result.done, result.left
    text = [*damage_lines(done, "repaired: "), *damage_lines(left, "left: ")]
    if result.error:
        text.append(f"not all was tried: {result.error}")
    summary = f"{len(done)} repaired, {len(left)} left" if done or left else "no damage"
    if left:
        summary += "; `aisuru-sync check` tells of it again"
    codes = [DamageFound.exit_code] if left else []
    return Reply(
        data={
            "repaired": damage_json(done),
            "left": damage_json(left),
            "error": str(result.error) if result.error else None,
        },
        text=[*text, summary],
        # What was in the way comes first: without it there may be no damage left.
        exit_code=result.error.exit_code if result.error else worst(codes),
        is_prose=True,
        trouble=text,
    )
