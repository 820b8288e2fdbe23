"""Worlds as data, and the demo account."""

from __future__ import annotations

import json
import re

import pytest

from sync.sandbox import Sandbox, World, demo_world


@pytest.fixture(scope="module")
def told():
    """The demo account, to look at only."""
    return demo_world()


def all_media(world):
    return [
        medium
        for agent in world.agents.values()
        for memory in agent.memories.values()
        for medium in memory["media"]
    ]


def test_a_saved_world_loads_equal(tmp_path, told):
    told.save(tmp_path / "world.json")
    assert World.load(tmp_path / "world.json") == told


def test_a_world_as_json_is_plain_and_independent():
    world = World.empty()
    agent = world.add_agent("Guide")
    plain = world.to_json()
    assert json.loads(json.dumps(plain)) == plain
    agent.people.clear()
    agent.settings["name"] = "Other"
    assert plain["agents"][agent.memori_id]["people"]
    assert plain["agents"][agent.memori_id]["settings"]["name"] == "Guide"
    assert plain != world.to_json()


def test_agents_of_one_name_are_two(world):
    first, second = World.empty().add_agent("Guide"), world.add_agent("Guide")
    assert first.memori_id != second.memori_id
    assert world.agent("Guide") is next(iter(world.agents.values()))
    with pytest.raises(KeyError):
        world.agent("Nobody")


class TestDemo:
    def test_it_is_the_same_each_time(self, told):
        assert demo_world().to_json() == told.to_json()

    def test_it_is_as_rich_as_an_account_in_use(self, told):
        guide = told.agent("Guida")
        assert (told.account.user_name, told.account.tenant) == ("demo", "www.aisuru.com")
        assert len(guide.people) >= 7
        assert len(guide.localization_keys) >= 20
        assert len(guide.memories) >= 60
        assert len(told.assets) >= 20
        assert len(told.badges) == 2
        types = {memory["memoryType"] for memory in guide.memories.values()}
        assert types == {"Question", "Story", "Default", "CompletionDraft"}
        assert told.agent("Archivio").settings["privacyType"] == "PRIVATE"

    def test_keys_are_keys(self, told):
        for agent in told.agents.values():
            assert agent is told.agents[agent.memori_id]
            for key, person in agent.people.items():
                assert key == person["personID"]
            for key, document in agent.localization_keys.items():
                assert key == document["key"]
            for key, memory in agent.memories.items():
                assert key == memory["memoryID"]
        media_ids = [medium["mediumID"] for medium in all_media(told)]
        assert len(media_ids) == len(set(media_ids))

    def test_every_reference_leads_somewhere(self, told):
        text = json.dumps(told.to_json())
        names = set(re.findall(r"https://assets\.memori\.ai/api/v2/asset/([\w.-]+)", text))
        assert names == set(told.assets)
        assert not re.search(r"{[\w-]+\.(png|pdf)}", text)
        for asset in told.assets.values():
            agent = told.agents.get(asset.document["memoriID"])
            if asset.document["engineMemoryID"]:
                assert asset.document["engineMemoryID"] in agent.memories
        for agent in told.agents.values():
            for memory in agent.memories.values():
                assert memory["receiverID"] is None or memory["receiverID"] in agent.people

    def test_files_are_what_they_say(self, told):
        for name, asset in told.assets.items():
            begin = {"png": b"\x89PNG", "pdf": b"%PDF-"}[name.rsplit(".", 1)[1]]
            assert asset.content.startswith(begin)
        contents = {asset.content for asset in told.assets.values()}
        assert len(contents) == len(told.assets)

    def test_media_are_of_every_sort(self, told):
        media = all_media(told)
        urls = [medium["url"] for medium in media if medium["url"]]
        assert any(url.startswith("rgb(") for url in urls)
        assert any(m["mimeType"] == "text/html" and m["url"] for m in media)
        assert any(m["content"] for m in media)
        assert any(m["properties"] for m in media)
        for medium in media:
            assert (medium["url"] is None) != (medium["content"] is None)

    def test_times_are_spelled_in_both_ways(self, told):
        stamps = [m["creationTimestamp"] for m in told.agent("Guida").memories.values()]
        assert any(stamp.endswith("Z") for stamp in stamps)
        assert any(not stamp.endswith("Z") for stamp in stamps)

    def test_every_answer_about_it_keeps_the_contract(self, told, contract, http, client):
        with Sandbox(told, middleware=contract.wrap) as sandbox:
            origin = type(client)(http, sandbox.url)
            owner = origin.log_in(told)
            for path in ("Memori", "Assets", "Badges", "SharedMemori", "User"):
                assert owner.get(f"/api/v2/{path}/{{s}}")["resultCode"] == 0
            for agent in told.agents.values():
                giver = origin.open_giver(agent)
                for path in ("People/{s}", "LocalizationKeys/{s}", "Memories/{s}/0/100/ALL"):
                    assert giver.get(f"/memori/v2/{path}")["resultCode"] == 0
                for memory_id in agent.memories:
                    assert giver.get(f"/memori/v2/Memory/{{s}}/{memory_id}")["memory"]
                    assert "media" in giver.get(f"/memori/v2/Media/{{s}}/{memory_id}")
                for name, asset in told.assets.items():
                    if asset.document["memoriID"] in (None, agent.memori_id):
                        response = giver.raw("GET", f"/api/v2/Asset/{name}/{{s}}")
                        assert response.content == asset.content
        assert contract.checked > 150

    def test_the_demo_can_be_taught(self, told, contract, http, client):
        world = World.from_json(told.to_json())
        guide = world.agent("Guida")
        with Sandbox(world, middleware=contract.wrap) as sandbox:
            giver = type(client)(http, sandbox.url).open_giver(guide)
            answer = giver.post(
                "/memori/v2/LocalizationKey/{s}", {"key": "INPUT_YES_9", "value": "certo"}
            )
            assert answer["localizationKey"]["key"] == "INPUT_YES_4"
        assert world != told
