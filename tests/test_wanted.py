"""Of files that are wanted under several keys and lost, one comes back."""

from typing import Any

from worlds import url_of

from sync.document import Document
from sync.kind import Ident
from sync.kinds import KINDS
from sync.refs import files_of
from sync.wanted import Wanted, each_once

MINE, OTHER, THIRD = (("asset", f"0000000{n}-aaaa-4bbb-8ccc-00000000000f") for n in range(3))
TEXT = ("memory", "m1")
COPIED = {OTHER: MINE[1], THIRD: MINE[1]}


def asset(ident: Ident) -> Document:
    return {"assetID": ident[1], "assetURL": url_of(f"{ident[1]}.png")}


def wanted(*own: Ident, foreign: tuple[Ident, ...] = (), shown: Ident = OTHER) -> Wanted:
    """A state whose one text shows a file; all bytes are at hand."""
    text = {"memoryID": "m1", "answers": [{"text": asset(shown)["assetURL"]}]}
    files = {each: asset(each) for each in (*own, *foreign)}
    return Wanted(
        objects={**files, TEXT: text},
        foreign=frozenset(foreign),
        unlisted=frozenset(foreign),
        files={ref.key: {} for each in files.values() for ref in files_of(KINDS["asset"], each)},
        copied=frozenset(),
        damaged=frozenset(),
    )


def once(given: Wanted, *live: Ident, named: tuple[str, ...] = ()) -> tuple[set[Ident], Any]:
    found = each_once(given, {each: asset(each) for each in live}, KINDS, COPIED, named)
    kept = {each for each in found.objects if each[0] == "asset"}
    assert found.foreign == given.foreign & kept
    assert found.unlisted == given.unlisted & kept
    return kept, found.objects[TEXT]["answers"][0]["text"]


def test_what_another_has_goes_with_ones_own_copy_and_texts_point_there():
    kept, text = once(wanted(MINE, foreign=(OTHER,)))
    assert kept == {MINE}
    assert text == asset(MINE)["assetURL"]


def test_of_several_that_others_have_one_is_left():
    kept, text = once(wanted(foreign=(OTHER, THIRD), shown=THIRD))
    assert kept == {OTHER}
    assert text == asset(OTHER)["assetURL"]


def test_ones_own_are_all_kept():
    assert once(wanted(MINE, OTHER))[0] == {MINE, OTHER}


def test_what_is_live_stays_as_it_is():
    given = wanted(MINE, foreign=(OTHER,))
    for live in (MINE, OTHER):
        assert once(given, live) == ({MINE, OTHER}, asset(OTHER)["assetURL"])


def test_what_was_asked_for_by_name_comes_back_itself_unless_both_were():
    given = wanted(MINE, foreign=(OTHER,))
    assert once(given, named=(OTHER[1],))[0] == {MINE, OTHER}
    assert once(given, named=(MINE[1], OTHER[1]))[0] == {MINE}
