"""File names that any system takes, made of whatever the remote calls things. Pure.

The rules are those of the strictest: Windows' characters and reserved names, macOS's letter case
and normal form, Linux's length in bytes.
"""

import re
import unicodedata
from collections.abc import Iterable

LONGEST_BYTES = 120
_UNNAMED = "unnamed"
_PARTING = re.compile(r"[:/\\|]")
_FORBIDDEN = re.compile(r'[<>"?*]')
_RESERVED = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|clock\$|(?:com|lpt)[0-9¹²³])\s*(?:\.|$)", re.IGNORECASE
)
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,12}$")
_JOINER = "\u200d"
"""What makes one picture of several emoji."""
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"
"""Letters, says Unicode, but there is nothing to see."""
_SKIN = range(0x1F3FB, 0x1F400)


def safe_name(text: str, longest_bytes: int = LONGEST_BYTES, number: int = 1) -> str:
    """A name for a file or folder that says what a text says, as far as a name can.

    Args:
        text: anything at all; a last part such as `.png` is kept as the extension.
        longest_bytes: how long the name may be in UTF-8; 32 and more.
        number: from 2 on it stands behind the name, ` (2)`.
    """
    plain = unicodedata.normalize("NFC", text)
    plain = "".join(map(_plain, plain))
    # A title is still a title without its question mark, but `a/b` is not `ab`.
    plain = " ".join(_FORBIDDEN.sub("", _PARTING.sub("_", plain)).split()).rstrip(". ")
    extension = found[0] if (found := _EXTENSION.search(plain)) else ""
    stem = plain.removesuffix(extension).rstrip(". ")
    # What belongs to the character before it is nothing without one.
    first = next((n for n, each in enumerate(stem) if each not in ". " and _is_seen(each)), None)
    stem = _UNNAMED if first is None else unicodedata.normalize("NFC", stem[first:])
    # Some system passes over what is not seen; many a program takes `-rf` for an option.
    if stem.startswith("-") or _RESERVED.match("".join(filter(_is_seen, stem + extension))):
        stem = f"_{stem}"
    end = (f" ({number})" if number > 1 else "") + extension
    return _cut(stem, longest_bytes - len(end.encode())) + end


class Names:
    """The names of one folder: no two are one where letter case does not count.

    Args:
        taken: names that are there already.
        longest_bytes: as for `safe_name`.
    """

    def __init__(self, taken: Iterable[str] = (), longest_bytes: int = LONGEST_BYTES) -> None:
        self._longest_bytes = longest_bytes
        self._taken = {_folded(each): 1 for each in taken}

    def take(self, text: str) -> str:
        """A safe name that nothing else here has."""
        first = name = safe_name(text, self._longest_bytes)
        number = self._taken.get(_folded(first), 0)
        while _folded(name) in self._taken:
            number += 1
            name = safe_name(text, self._longest_bytes, number)
        self._taken[_folded(first)] = max(number, 1)
        self._taken.setdefault(_folded(name), 1)
        return name


def _folded(name: str) -> str:
    """What two names have in common that some system takes for one."""
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())


def _plain(character: str) -> str:
    """What stands for a character: it, a space, an underscore, or nothing."""
    category = unicodedata.category(character)
    if category in ("Cc", "Zl", "Zp", "Zs") or character in _BLANK:
        return " "
    if category == "Cf":
        # Among them is what turns `gnp.exe` into `exe.png` before the eyes.
        return character if character == _JOINER else ""
    return "_" if category in ("Cs", "Cn", "Co") else character


def _is_seen(character: str) -> bool:
    """Is a character something by itself?"""
    return unicodedata.category(character) not in ("Mn", "Me", "Cf")


def _cut(stem: str, longest_bytes: int) -> str:
    """The beginning of a text that has so many bytes, without half a character at its end."""
    data = stem.encode()
    if len(data) <= longest_bytes:
        return stem
    kept = data[:longest_bytes].decode(errors="ignore")
    whole = len(kept)
    while whole and (_continues(stem[whole]) or stem[whole - 1] == _JOINER):
        whole -= 1
    # What is one character from its beginning on has to be cut all the same.
    return (kept[:whole].rstrip(". ") or kept).rstrip(". ")


def _continues(character: str) -> bool:
    """Is a character part of the one before it?"""
    is_mark = unicodedata.category(character).startswith("M")
    return is_mark or character == _JOINER or ord(character) in _SKIN
