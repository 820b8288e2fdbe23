"""What an export says of itself, in plain words. Pure."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sync.export.files import Lack
from sync.export.markdown import plain
from sync.restore_point import Age
from sync.wording import counted

README = "README.txt"
_WIDTH = 78
_WORDS = {
    "asset": "uploaded files",
    "badge": "badges",
    "localization_key": "messages",
    "medium": "media",
    "memori": "settings",
    "memory": "contents",
    "person": "people",
}

_LAYOUT = """\
WHAT IS WHERE

  README.txt             this text
  SHA256SUMS             the hash of every other file; to prove that all is as
                         it was written, say in this folder:
                         sha256sum -c SHA256SUMS

A folder for each agent, and in it:

  contents.md            a list of its contents, with links
  contents/0001 Title/   one folder for each content, the first taught first:
    content.md           the content as a page to read: any editor or browser
    content.json         the same with every field, its media inside
                         and beside them its pictures, sounds and documents
  people.csv             whom it knows, for any spreadsheet (a cell that begins
                         like a formula has an apostrophe before it)
  people.json            the same with every field, just as they are
  localization_keys.json its messages in its own words
  function.json, …       one list for each further kind of object
  settings.json          its settings
  assets.json            the files that were uploaded for it, as records
  files/                 its files that belong to no content
  files.json             which file is where, by the URL that texts and
                         settings call it by
"""
_ACCOUNT = """\
The folder `account` is what belongs to no agent alone: agents.json (the
settings of all), badges.json, and what no agent's folder holds: assets.json,
integration.json and files/ (uploads).
"""
_FORM = """\
JSON is UTF-8, one list or one object a file; stamps are in UTC. Names of files
and folders are those that people gave, without what some system cannot have in
a name; where two would be one, the second has (2).
"""


@dataclass(frozen=True)
class Told:
    """One source in an export.

    Attributes:
        folder: its folder in the export.
        seen_at: when its snapshot was begun.
        counts: {kind: how many objects}.
        ages: where each kind was taken from.
    """

    name: str
    folder: str
    snapshot_id: int
    seen_at: datetime
    counts: Mapping[str, int]
    ages: Mapping[str, Age]


def readme(
    sources: Sequence[Told],
    lacks: Sequence[Lack],
    left_out: Sequence[str],
    never: Sequence[str],
    *,
    has_account: bool,
    shows_pins: bool,
) -> Iterator[str]:
    """The text, paragraph by paragraph.

    Args:
        sources: what the export holds.
        lacks: what it does not hold, or not as it was.
        left_out: agents of which nothing was backed up by then.
        never: agents of which nothing ever was, and nobody wanted it.
        has_account: there is a folder of the account.
        shows_pins: PINs stand in it.
    """
    yield "An export of AIsuru agents, to be read without any program of ours.\n\n"
    yield "WHAT IT HOLDS\n\n"
    for each in sources:
        yield from _source(each)
    for name in left_out:
        yield _line(f"{plain(name)}: nothing was backed up of it, so it is not here")
    for name in never:
        yield _line(
            f"{plain(name)}: nothing was ever backed up of it but its settings and the list of"
            " its uploads, which are in the folder `account`"
        )
    yield f"\n{_LAYOUT}\n"
    if has_account:
        yield f"{_ACCOUNT}\n"
    yield f"{_FORM}\nPINS\n\n"
    if shows_pins:
        yield "The PINs of people ARE in this export: keep it as you keep a password.\n"
    else:
        yield "The PINs of people are shown as stars. The backup has them.\n"
    yield "\nWHAT IS NOT HERE\n\n"
    if not lacks:
        yield "Nothing that was there is lacking.\n"
    for lack in lacks:
        yield _line(f"{plain(lack.source)}: {_called(lack)}: {lack.reason}")


def _called(lack: Lack) -> str:
    name = plain(lack.name)
    return name if lack.key in lack.name else f"{name} ({lack.key})"


def _source(told: Told) -> Iterator[str]:
    counts = ", ".join(f"{number} {_WORDS.get(kind, kind)}" for kind, number in told.counts.items())
    taken = f"{told.seen_at:%Y-%m-%d %H:%M} UTC"
    yield _line(
        f"{plain(told.name)}, in the folder `{told.folder}`, as it was on {taken}"
        f" (snapshot {told.snapshot_id}): {counts or counted(0, 'object')}"
    )
    for kind, age in told.ages.items():
        if age.why and age.proven:
            when = f"{age.proven.started_at:%Y-%m-%d %H:%M} UTC"
            yield _line(f"  {kind} is as of snapshot {age.proven.id} of {when}: {age.why}", "    ")
        elif age.why:
            yield _line(f"  {kind} was never seen whole: {age.why}", "    ")


def _line(text: str, indent: str = "  ") -> str:
    """A paragraph that fits a screen; no name makes it two."""
    kept = text[: len(text) - len(text.lstrip())]
    one = kept + " ".join(text.split())
    # Names and URLs are copied from here: they are never broken.
    return (
        textwrap.fill(
            one,
            _WIDTH,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        + "\n"
    )
