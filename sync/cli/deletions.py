"""The option by which a human agrees to deletions that look like too many (design 6.2)."""

from collections.abc import Sequence

import click

from sync.errors import UsageError


class Deletions(click.ParamType[tuple[str, int]]):
    """`KIND=N`: deletions of a kind that are right, and their number."""

    name = "deletions"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, int]:
        """Read the kind and the number."""
        kind, _, number = value.partition("=")
        if not kind or not (number.isascii() and number.isdigit()):
            self.fail(f"{value!r} is not KIND=N, for example person=40", param, ctx)
        return kind, int(number)


def deletions_option(text: str) -> click.Option:
    """`--accept-deletions KIND=N`, once for each kind.

    Args:
        text: what it means to the command.
    """
    return click.Option(
        ["--accept-deletions", "accepted"],
        type=Deletions(),
        multiple=True,
        metavar="KIND=N",
        help=text,
    )


def by_kind(accepted: Sequence[tuple[str, int]]) -> dict[str, int]:
    """{kind: number} of what was agreed to.

    Raises:
        UsageError: a kind is named twice.
    """
    if len(dict(accepted)) < len(accepted):
        raise UsageError("--accept-deletions is given twice for a kind", "give it once a kind")
    return dict(accepted)
