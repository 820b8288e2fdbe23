"""How things are said that several jobs and doors say. Pure."""

from collections.abc import Iterable


def counted(number: int, what: str) -> str:
    """How many of something: `1 file`, `2 files`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def quoted(names: Iterable[str]) -> str:
    """Names as a hint lists them: `'Guide', 'Archive'`, or `none`."""
    return ", ".join(map(repr, names)) or "none"


def in_line(text: str, longest: int) -> str:
    """A text as one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def sized(size_bytes: int) -> str:
    """A size in the largest unit of which there is one: `17 bytes`, `4.5 MiB`."""
    if size_bytes < _KIB:
        return counted(size_bytes, "byte")
    size, unit = size_bytes / _KIB, 0
    while size >= _KIB and unit < len(_UNITS) - 1:
        size, unit = size / _KIB, unit + 1
    return f"{size:.1f} {_UNITS[unit]}"


_KIB = 1024
_UNITS = ("KiB", "MiB", "GiB", "TiB")
