"""An object is one through all its keys, and two states differ only in what really differs."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.kinds import KINDS
from sync.lives import Lives, net, pairs

PERSON, MEMORY, ASSET = KINDS["person"], KINDS["memory"], KINDS["asset"]
CHAIN = Lives({("person", "p"): "p1", ("person", "p1"): "p2"})


def person(name: str) -> dict[str, Any]:
    return {"name": name}


@pytest.mark.parametrize("key", ["p", "p1", "p2"])
def test_every_key_of_an_object_leads_to_all_of_them_the_oldest_first(key: str):
    assert CHAIN.keys(("person", key)) == ("p", "p1", "p2")
    assert CHAIN.last(("person", key)) == "p2"


def test_a_key_means_its_own_kind_only():
    assert CHAIN.keys(("memory", "p")) == ("p",)
    assert CHAIN.was(("memory", "p1")) is None


def test_an_object_knows_the_key_it_had_before():
    assert [CHAIN.was(("person", key)) for key in ("p", "p1", "p2")] == [None, "p", "p1"]


def test_keys_that_lead_round_in_a_ring_are_one_object():
    ring = Lives({("person", "a"): "b", ("person", "b"): "a", ("person", "x"): "b"})
    assert {ring.keys(("person", key)) for key in "abx"} == {("x", "b", "a")}


def test_keys_are_matched_by_themselves_first_and_then_in_their_order():
    assert pairs(("p", "p1", "p2"), {"p"}, {"p2"}) == [("p", "p2")]
    assert pairs(("p", "p1"), {"p", "p1"}, {"p1"}) == [("p1", "p1"), ("p", None)]
    assert pairs(("p", "p1"), {"p"}, {"p", "p1"}) == [("p", "p"), (None, "p1")]


def test_an_object_that_came_back_is_no_difference():
    assert list(net(PERSON, {"p": person("Anna")}, {"p2": person("Anna")}, CHAIN)) == []


def test_an_object_that_came_back_otherwise_is_updated_and_tells_its_old_key():
    (found,) = net(PERSON, {"p": person("Anna")}, {"p2": person("Bea")}, CHAIN)
    assert (found.op, found.key, found.was) == ("updated", "p2", "p")
    assert found.fields == {"name": ("Anna", "Bea")}


def test_a_ref_that_follows_the_key_map_is_no_difference_but_another_one_is():
    old = {"m": {"title": "x", "receiverID": "p"}}
    assert list(net(MEMORY, old, {"m": {"title": "x", "receiverID": "p2"}}, CHAIN)) == []
    (found,) = net(MEMORY, old, {"m": {"title": "x", "receiverID": "q"}}, CHAIN)
    assert found.fields == {"receiverID": ("p", "q")}


def test_a_url_that_follows_its_asset_is_no_difference_and_else_is_told_as_it_was():
    old, now = (f"https://assets.memori.ai/api/v2/asset/{name}.png" for name in ("old", "new"))
    lives = Lives({}, {"asset/old.png": now})
    before, after = {"m": {"title": f"see {old}"}}, {"m": {"title": f"see {now}"}}
    assert list(net(MEMORY, before, after, lives)) == []
    (found,) = net(MEMORY, before, {"m": {"title": f"look: {now}"}}, lives)
    assert found.fields == {"title": (f"see {old}", f"look: {now}")}


def test_stamps_and_nulls_are_no_difference():
    before = {"m": {"title": "x", "lastRead": "1", "date": None}}
    assert list(net(MEMORY, before, {"m": {"title": "x", "lastRead": "2"}}, CHAIN)) == []


keys = st.sampled_from("abcdef")
states = st.dictionaries(keys, st.sampled_from(["Anna", "Bea", "Cora"]).map(person))
key_maps = st.dictionaries(keys.map(lambda key: ("person", key)), keys).map(
    lambda found: {ident: key for ident, key in found.items() if ident[1] != key}
)


@given(states, states)
def test_a_difference_turns_the_one_state_into_the_other(before, after):
    state = dict(before)
    for each in net(PERSON, before, after, Lives({})):
        if each.op == "deleted":
            del state[each.key]
        else:
            assert (each.op == "updated") == (each.key in state)
            state[each.key] = {name: new for name, (_, new) in each.fields.items()}
    assert state == after


@given(states, states, key_maps)
def test_it_does_so_too_where_keys_have_changed(before, after, successors):
    lives = Lives(successors)

    def lives_of(state) -> list[tuple[str, str]]:
        return sorted((lives.last(("person", key)), each["name"]) for key, each in state.items())

    state = lives_of(before)
    for each in net(PERSON, before, after, lives):
        old, new = each.fields["name"]
        last = lives.last(("person", each.key))
        if old is not None:
            state.remove((last, old))
        if new is not None:
            state.append((last, new))
    assert sorted(state) == lives_of(after)


@given(states, key_maps)
def test_a_state_does_not_differ_from_itself(state, successors):
    assert list(net(PERSON, state, state, Lives(successors))) == []
