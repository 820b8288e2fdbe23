"""Listings that prove that they are complete, against remotes that shift, cap and lie."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.api.paging import Arrival, Listing
from sync.api.remote import Page
from sync.errors import AccessDenied, BadAnswer, Unavailable
from sync.kinds import KINDS

PERSON, ASSET = KINDS["person"], KINDS["asset"]


class Remote:
    """A list that may change before each page is given.

    Args:
        keys: what is in it.
        before: called with the list before the n-th page, from 0.
        cap: the most objects that a page has.
        lie: what becomes of the count of the n-th page.
    """

    def __init__(
        self,
        keys: list[str],
        before: Callable[[int, list[str]], object] = lambda *_: None,
        cap: int = 1000,
        lie: Callable[[int, int], int] = lambda _, count: count,
    ) -> None:
        self.keys, self.before, self.cap, self.lie = keys, before, cap, lie
        self.asked: list[tuple[int, int] | None] = []
        self.seen: set[str] = set()

    def page(self, _: object, start: int, how_many: int) -> Page:
        return self._give((start, how_many), start, start + min(how_many, self.cap))

    def unpaged(self, _: object) -> Page:
        return self._give(None, 0, 10**9)

    def _give(self, asked: tuple[int, int] | None, start: int, stop: int) -> Page:
        number = len(self.asked)
        self.asked.append(asked)
        self.before(number, self.keys)
        documents = [{"personID": key, "assetID": key} for key in self.keys[start:stop]]
        return Page(documents, self.lie(number, len(self.keys)))


def read(remote: Any, page_size: int = 5, concurrency: int = 1, kind=PERSON) -> str:
    """Read a listing as a backup does; what was seen is left in `remote.seen`."""
    in_pass: dict[int, set[str]] = {}

    def take(arrival: Arrival) -> int:
        keys = {kind.key_of(each) for each in arrival.documents}
        before = in_pass.setdefault(arrival.pass_number, set())
        new = len(keys - before)
        before |= keys
        remote.seen |= keys
        return new

    return Listing(remote, kind, page_size, concurrency).read(take)


def people(number: int) -> list[str]:
    return [f"p{each}" for each in range(number)]


@pytest.mark.parametrize("concurrency", [1, 4])
@pytest.mark.parametrize("cap", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize("number", [0, 1, 4, 5, 6, 9, 10, 23])
def test_a_quiet_list_is_proven_in_one_pass_whatever_its_length(number, cap, concurrency):
    remote = Remote(people(number), cap=cap)
    assert read(remote, concurrency=concurrency) == ""
    assert remote.seen == set(people(number))
    if cap > 1 and number > 1:
        assert len(remote.asked) == len(set(remote.asked)), "no page was asked for twice"


def test_no_page_is_asked_for_from_beyond_the_count():
    remote = Remote(people(10))
    read(remote)
    assert max(start for start, _ in remote.asked) < 10


def test_a_page_that_comes_short_is_no_end():
    class Short(Remote):
        def page(self, kind: object, start: int, how_many: int) -> Page:
            page = super().page(kind, start, how_many)
            is_second = len(self.asked) == 2
            return Page(page.documents[:2], page.count) if is_second else page

    remote = Short(people(12))
    assert read(remote) == ""
    assert remote.seen == set(people(12))


def test_a_shift_that_leaves_the_count_alone_is_seen_and_the_list_read_again():
    def shift(number: int, keys: list[str]) -> None:
        if number == 1:
            keys.pop(0)
            keys.append("new")

    remote = Remote(people(10), shift)
    assert read(remote) == ""
    assert {"p5", "new"} <= remote.seen
    assert len(remote.asked) > 3


@pytest.mark.parametrize("cap", [1, 2, 3, 5, 1000])
@pytest.mark.parametrize("change", [-1, 1, -5, -7, -8, 1000])
def test_a_count_that_lies_on_every_page_proves_nothing(change, cap):
    remote = Remote(people(10), cap=cap, lie=lambda _, count: count + change)
    assert read(remote) != ""


@pytest.mark.parametrize("cap", [2, 3, 50])
def test_a_remote_that_counts_only_its_page_proves_nothing(cap):
    class PageCounter(Remote):
        def page(self, kind: object, start: int, how_many: int) -> Page:
            documents = super().page(kind, start, how_many).documents
            return Page(documents, len(documents))

    remote = PageCounter(people(80), cap=cap)
    assert read(remote, page_size=100) == ""
    assert remote.asked[-1] is None, "only the whole list is believed"
    assert remote.seen == set(people(80))


def test_a_shift_is_a_doubt_even_where_all_numbers_agree():
    class Twisted(Remote):
        """Eight objects come and all are distinct, but p5 is hidden by another one."""

        def page(self, kind: object, start: int, how_many: int) -> Page:
            page = super().page(kind, start, how_many)
            twisted = [{"personID": "other"}, *page.documents[2:]]
            return Page(twisted if start else page.documents, page.count)

    remote = Twisted(people(8))
    assert read(remote) == ""
    assert remote.asked[-1] is None, "only the whole list is believed"
    assert "p5" in remote.seen


@pytest.mark.parametrize("shown", [0, 1])
def test_a_list_of_none_or_one_is_believed_only_if_it_is_said_again(shown):
    class Shy(Remote):
        def page(self, kind: object, start: int, how_many: int) -> Page:
            page = super().page(kind, start, how_many)
            is_first = len(self.asked) == 1
            return Page(page.documents[:shown], shown) if is_first else page

    remote = Shy(people(3))
    assert read(remote) == ""
    assert remote.seen == set(people(3))


def test_a_first_page_that_comes_short_is_not_taken_for_the_size_of_all():
    class Short(Remote):
        def page(self, kind: object, start: int, how_many: int) -> Page:
            page = super().page(kind, start, how_many)
            return page if start else Page(page.documents[:2], page.count)

    remote = Short(people(2000))
    assert read(remote, page_size=100, concurrency=4) == ""
    assert remote.seen == set(people(2000))
    assert len(remote.asked) < 30


def test_what_whoever_takes_the_objects_cannot_use_makes_the_pass_no_proof():
    remote, passes = Remote(people(8)), []

    def take(arrival: Arrival) -> int:
        passes.append(arrival.pass_number)
        if passes == [1, 1]:
            raise BadAnswer("no usable key")
        return len(arrival.documents)

    assert Listing(remote, PERSON, 5, 1).read(take) == ""
    assert passes == [1, 1, 2, 2]


def test_a_count_that_lies_once_is_asked_again():
    remote = Remote(people(10), lie=lambda number, count: count - 1 if number == 1 else count)
    assert read(remote) == ""
    assert remote.seen == set(people(10))


def test_a_list_that_never_rests_is_taken_whole_as_a_last_resort():
    def shift(_: int, keys: list[str]) -> None:
        keys.append(f"new {len(keys)}")

    remote = Remote(people(10), shift)
    assert read(remote) == ""
    assert remote.asked[-1] is None
    assert remote.seen == set(remote.keys)


def test_pages_that_show_the_same_objects_again_and_again_end():
    class Stuck(Remote):
        def page(self, kind: object, _: int, how_many: int) -> Page:
            return Page(super().page(kind, 0, how_many).documents, 10**9)

    remote = Stuck(people(5))
    remote.unpaged = lambda _: Page([], 10**9)  # type: ignore[method-assign]
    assert "1000000000 were announced" in read(remote, concurrency=3)
    assert len(remote.asked) < 50


def test_what_is_no_answer_is_asked_for_again_but_what_is_refused_for_good_is_not():
    class Broken(Remote):
        def __init__(self, error: Exception, times: int) -> None:
            super().__init__(people(3))
            self.error, self.times = error, times

        def page(self, kind: object, start: int, how_many: int) -> Page:
            page = super().page(kind, start, how_many)
            if len(self.asked) <= self.times:
                raise self.error
            return page

    assert read(Broken(BadAnswer("HTML"), 2)) == ""
    assert read(Broken(BadAnswer("HTML"), 3)) == ""
    for error in (AccessDenied("no", code=403), Unavailable("later")):
        remote = Broken(error, 1)
        with pytest.raises(type(error)):
            read(remote)
        assert len(remote.asked) == 1


def test_a_list_without_pages_and_count_is_proven_by_one_whole_answer():
    class Uncounted(Remote):
        def unpaged(self, kind: object) -> Page:
            return Page(super().unpaged(kind).documents, None)

    remote = Uncounted(people(3))
    assert read(remote, kind=ASSET) == ""
    assert remote.asked == [None]
    twice = Uncounted(["p1", "p1"])
    assert "only 1 of 2" in read(twice, kind=ASSET)


EDITS = st.lists(
    st.lists(st.tuples(st.sampled_from(["insert", "delete"]), st.integers(0, 40)), max_size=3),
    max_size=12,
)


@given(
    number=st.integers(0, 30),
    edits=EDITS,
    page_size=st.integers(1, 8),
    cap=st.integers(1, 8),
    concurrency=st.sampled_from([1, 4]),
    has_whole=st.booleans(),
)
def test_what_lived_through_a_proven_listing_was_seen(
    number, edits, page_size, cap, concurrency, has_whole
):
    """The law behind the overlap: whatever comes and goes, as long as order is kept."""
    fresh = iter(range(10**6))
    died: set[str] = set()

    def change(number: int, keys: list[str]) -> None:
        for what, place in edits[number] if number < len(edits) else ():
            if what == "insert":
                keys.insert(place % (len(keys) + 1), f"n{next(fresh)}")
            elif keys:
                died.add(keys.pop(place % len(keys)))

    remote = Remote(people(number), change, cap)
    if not has_whole:
        remote.unpaged = lambda _: Page([], 10**9)  # type: ignore[method-assign]
    is_proven = read(remote, page_size, concurrency) == ""
    assert is_proven or not has_whole
    assert not is_proven or set(people(number)) - died <= remote.seen
