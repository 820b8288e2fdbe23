"""Integrations: pages and channels, embedded in the settings of their agent."""

from __future__ import annotations

import pytest

ONE = "/api/v2/Integration/{s}"
PAGE = {"type": "LANDING_EXPERIENCE", "customData": "{}", "publish": True}


@pytest.fixture
def key(owner, agent):
    made = owner.post(ONE, {**PAGE, "memoriID": agent.memori_id})["integration"]
    return made["integrationID"]


def test_one_is_shown_by_itself_in_its_list_and_in_its_agent(owner, agent, key):
    shown = owner.get(f"{ONE}/{key}")["integration"]
    assert (shown["memoriID"], shown["customData"]) == (agent.memori_id, "{}")
    assert owner.get(f"/api/v2/Integrations/{{s}}/{agent.memori_id}")["integrations"] == [shown]
    assert owner.get(f"/api/v2/Memori/{{s}}/{agent.memori_id}")["memori"]["integrations"] == [shown]


def test_a_change_touches_what_is_sent_and_its_stamp_alone(owner, agent, key, clock):
    clock.forward(hours=1)
    before = owner.get(f"{ONE}/{key}")["integration"]
    stamp = agent.settings["lastChangeTimestamp"]
    sent = {"customData": '{"a": 1}', "publish": None, "memoriID": "another"}
    after = owner.patch(f"{ONE}/{key}", sent)["integration"]
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {"customData", "lastChangeTimestamp"}
    assert agent.settings["lastChangeTimestamp"] == stamp


def test_one_that_is_removed_is_not_found_any_more(owner, agent, key):
    assert owner.delete(f"{ONE}/{key}")["resultCode"] == 0
    assert owner.get(f"{ONE}/{key}")["resultCode"] == 404
    assert agent.settings["integrations"] == []


def test_an_agent_without_any_has_an_empty_list(owner, agent):
    agent.settings["integrations"] = None
    path = f"/api/v2/Integrations/{{s}}/{agent.memori_id}"
    assert owner.get(path)["integrations"] == []
    assert owner.get("/api/v2/Integrations/{s}/nobody")["resultCode"] == -51


def test_one_needs_an_agent_and_a_type_and_all_of_it_a_login(owner, client, agent, key):
    assert owner.post(ONE, {"type": "ALEXA"})["resultCode"] == 400
    assert owner.post(ONE, {"type": "ALEXA", "memoriID": "nobody"})["resultCode"] == -51
    assert owner.post(ONE, {"memoriID": agent.memori_id})["resultCode"] == 400
    for path in (
        f"/api/v2/Integration/guess/{key}",
        f"/api/v2/Integrations/guess/{agent.memori_id}",
    ):
        assert client.get(path)["resultCode"] == -101
