"""Localization keys: single ones, and sets that the remote renumbers."""

from __future__ import annotations

import pytest

from sync.sandbox.world import EPOCH

KEYS = "/memori/v2/LocalizationKeys/{s}"
KEY = "/memori/v2/LocalizationKey/{s}"


@pytest.fixture
def values(giver):
    """What a set says now, in order, by key."""

    def read(prefix="INPUT_QUIT"):
        listed = giver.get(KEYS)["localizationKeys"]
        return {k["key"]: k["value"] for k in listed if k["key"].startswith(prefix)}

    return read


@pytest.fixture(autouse=True)
def key_set(agent):
    """Guide knows three words for quitting; they stand between single keys."""
    last = agent.localization_keys.popitem()
    for index, value in enumerate(("bye", "stop", "enough"), start=1):
        key = f"INPUT_QUIT_{index}"
        agent.localization_keys[key] = {
            "key": key,
            "value": value,
            "creationTimestamp": EPOCH,
            "lastChangeTimestamp": EPOCH,
        }
    agent.localization_keys[last[0]] = last[1]


def test_keys_are_listed_paged_and_got(giver):
    listed = giver.get(KEYS)
    assert listed["count"] == len(listed["localizationKeys"]) == 17
    assert giver.get(f"{KEYS}/3/2")["localizationKeys"] == listed["localizationKeys"][3:5]
    got = giver.get(f"{KEY}/INPUT_QUIT_2")["localizationKey"]
    assert got["value"] == "stop"


def test_the_body_tells_which_key_changes(giver, clock):
    clock.forward(hours=0.5)
    change = {"key": "GIVER_PRESENTATION", "value": "I am Ada"}
    answer = giver.patch(KEY, change)
    assert answer["resultCode"] == 0
    got = giver.get(f"{KEY}/GIVER_PRESENTATION")["localizationKey"]
    assert got["value"] == "I am Ada"
    assert got["lastChangeTimestamp"] == "2026-03-01T12:30:00.000000Z"
    assert got["lastChangeSessionID"] == giver.secret
    assert got["creationTimestamp"] == EPOCH


@pytest.mark.parametrize("body", [{"value": "x"}, {"key": "GIVER_PRESENTATION"}, {}])
def test_a_change_needs_key_and_value(giver, body):
    assert giver.patch(KEY, body)["resultCode"] == 400


def test_an_unknown_key_is_not_found(giver):
    assert giver.get(f"{KEY}/NOTHING")["resultCode"] == 404
    assert giver.patch(KEY, {"key": "NOTHING", "value": "x"})["resultCode"] == 404
    assert giver.delete(f"{KEY}/NOTHING_1")["resultCode"] == 404


def test_a_key_beyond_the_end_becomes_the_next_one(giver, values):
    answer = giver.post(KEY, {"key": "INPUT_QUIT_9", "value": "done"})
    assert answer["localizationKey"]["key"] == "INPUT_QUIT_4"
    assert list(values().items())[-1] == ("INPUT_QUIT_4", "done")


def test_a_key_at_a_taken_index_pushes_the_others_back(giver, values):
    answer = giver.post(KEY, {"key": "INPUT_QUIT_2", "value": "leave"})
    assert answer["localizationKey"]["key"] == "INPUT_QUIT_2"
    assert values() == {
        "INPUT_QUIT_1": "bye",
        "INPUT_QUIT_2": "leave",
        "INPUT_QUIT_3": "stop",
        "INPUT_QUIT_4": "enough",
    }


def test_removing_a_key_closes_the_gap(giver, values):
    assert giver.delete(f"{KEY}/INPUT_QUIT_1")["resultCode"] == 0
    assert values() == {"INPUT_QUIT_1": "stop", "INPUT_QUIT_2": "enough"}


def test_a_set_keeps_its_place_in_the_listing(giver):
    before = [key["key"] for key in giver.get(KEYS)["localizationKeys"]]
    giver.delete(f"{KEY}/INPUT_QUIT_2")
    after = [key["key"] for key in giver.get(KEYS)["localizationKeys"]]
    assert after == [key for key in before if key != "INPUT_QUIT_3"]


def test_a_set_cannot_become_empty(giver, values):
    for _ in range(2):
        giver.delete(f"{KEY}/INPUT_QUIT_1")
    assert giver.delete(f"{KEY}/INPUT_QUIT_1")["resultCode"] == 422
    assert values() == {"INPUT_QUIT_1": "enough"}


@pytest.mark.parametrize("key", ["NEW_SET_1", "GIVER_PRESENTATION", "BRAND_NEW"])
def test_neither_a_new_set_nor_a_single_key_can_be_added(giver, key):
    assert giver.post(KEY, {"key": key, "value": "x"})["resultCode"] == 422


def test_a_single_key_cannot_be_removed(giver):
    assert giver.delete(f"{KEY}/GIVER_PRESENTATION")["resultCode"] == 422
