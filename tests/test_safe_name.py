"""Names that any system takes, whatever the remote calls things."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sync.export.safe_name import LONGEST_BYTES, Names, safe_name

RESERVED = {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$", "CLOCK$"} | {
    f"{device}{digit}" for device in ("COM", "LPT") for digit in "0123456789¹²³"
}
PARTS = [
    *'./\\:*?"<>| \0\n\u202e\ud800é🦊',
    "CON",
    "nul",
    "com¹",
    ".png",
    "e\u0301",
    "👩\u200d🚀",
    "-",
    "\ufe0f",
    "\u3164",
    "a" * 90,
]
names = st.one_of(st.text(st.characters(codec=None)), st.lists(st.sampled_from(PARTS)).map("".join))


def check_safe(name: str, longest_bytes: int = LONGEST_BYTES) -> None:
    assert 0 < len(name.encode()) <= longest_bytes
    assert not re.search(r'[<>:"/\\|?*]', name)
    assert not {unicodedata.category(each) for each in name} & {"Cc", "Cs", "Zl", "Zp", "Cn"}
    assert name == name.strip(" .")
    assert name.partition(".")[0].strip().upper() not in RESERVED
    assert name == unicodedata.normalize("NFC", name)
    # No program takes it for an option, and no eye for nothing.
    assert not name.startswith("-")
    assert [each for each in name if is_visible(each)]
    assert "".join(filter(is_visible, name)).partition(".")[0].strip().upper() not in RESERVED


def is_visible(character: str) -> bool:
    blank = "\u115f\u1160\u3164\uffa0\u2800"
    return unicodedata.category(character) not in ("Mn", "Me", "Cf") and character not in blank


@given(names, st.integers(32, LONGEST_BYTES), st.integers(1, 10**6))
@example("COM1 .txt", 120, 1)
@example("\u0338<", 120, 1)
@example("-rf", 120, 1)
@example("CON\u200d.txt", 120, 1)
@example("CON\ufe0f", 120, 1)
@example("\ufe0f", 120, 1)
@example("\u3164", 120, 1)
@example("\u0301\u2800.png", 120, 1)
@example("a" * 32 + "\u0301" * 200, 40, 2)
def test_whatever_it_is_made_of_a_name_is_safe(text: str, longest_bytes: int, number: int):
    check_safe(safe_name(text, longest_bytes, number), longest_bytes)


@given(names)
def test_a_safe_name_is_left_as_it_is(text: str):
    name = safe_name(text)
    # What is cut may end in what looks like an extension.
    assert len(name.encode()) > LONGEST_BYTES - 16 or safe_name(name) == name


@given(st.lists(names, max_size=30))
def test_no_two_names_of_a_folder_are_one_on_any_system(texts: list[str]):
    folder = Names(("content.json",))
    taken = [folder.take(each) for each in texts]
    for each in taken:
        check_safe(each)
    plain = [unicodedata.normalize("NFD", each.casefold()) for each in ("content.json", *taken)]
    assert len(set(plain)) == len(plain)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("map.png", "map.png"),
        ("../../etc/passwd", "_.._etc_passwd"),
        ("CON", "_CON"),
        ("aux.tar.gz", "_aux.tar.gz"),
        ("console", "console"),
        ("con\u200d.png", "_con\u200d.png"),
        ("-rf", "_-rf"),
        ("\ufe0f", "unnamed"),
        ("\u3164\u0301.png", "unnamed.png"),
        ("Where is it?", "Where is it"),
        ('"Bell" *new*: a|b', "Bell new_ a_b"),
        ("", "unnamed"),
        ("...", "unnamed"),
        (".png", "unnamed.png"),
        (" . .png", "unnamed.png"),
        ("a\0b\nc", "a b c"),
        ("invoice\u202egnp.exe", "invoicegnp.exe"),
        ("👩\u200d🚀 day", "👩\u200d🚀 day"),
        ("e\u0301te\u0301.jpg", "été.jpg"),
        ("x" * 300 + ".JPEG", "x" * 115 + ".JPEG"),
        ("🦊" * 40, "🦊" * 30),
        ("x" * 118 + "👩\u200d🚀", "x" * 118),
    ],
)
def test_a_name_says_what_it_can(text: str, name: str):
    assert safe_name(text) == name


def test_many_of_one_name_are_numbered_and_keep_their_extension():
    folder = Names()
    assert [folder.take(each) for each in ("a.png", "A.png", "a (2).png", "a.PNG")] == [
        "a.png",
        "A (2).png",
        "a (2) (2).png",
        "a (3).PNG",
    ]
