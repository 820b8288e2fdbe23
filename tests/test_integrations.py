"""What an agent's integrations look like: kept with its files, and told where no call can help."""

import json
from collections.abc import Callable

import pytest
from workplace import Workplace, restore

from sync.sandbox import Sandbox, World

ASSETS = "https://assets.memori.ai/api/v2/asset/"
LOGO = f"{ASSETS}00000001-aaaa-4bbb-8ccc-000000000001.png"
INTEGRATION = {
    "integrationID": "i1",
    "type": "LANDING_EXPERIENCE",
    "state": "NEW",
    "publish": True,
    "customData": json.dumps({"logo": LOGO, "title": 'the "Guide"'}),
    "deviceEmails": ["somebody@example.org"],
    "dataResult": {"accessToken": "s3cret-of-another-service"},
}


@pytest.fixture
def looking(world: World) -> World:
    """The agent has a page with the picture on it."""
    guide = world.agent("Guide")
    guide.settings["integrations"] = [INTEGRATION]
    return world


def test_what_they_look_like_is_kept_and_whatever_may_be_a_secret_is_not(
    workplace: Workplace, serve: Callable[..., Sandbox], looking: World
):
    with serve(looking) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
    ((column, document),) = workplace.sql("select integrations, document from memori")
    (kept,) = json.loads(column)
    assert kept["customData"] == INTEGRATION["customData"]
    assert "s3cret" not in document
    assert "somebody@example.org" not in document


def test_a_file_that_one_shows_is_fetched_and_named_when_it_comes_back_elsewhere(
    workplace: Workplace, serve: Callable[..., Sandbox], looking: World
):
    guide = looking.agent("Guide")
    (name,) = looking.assets
    shown = {
        **INTEGRATION,
        "customData": json.dumps({"logo": LOGO.rpartition("/")[0] + "/" + name}),
    }
    guide.settings["integrations"] = [shown]
    with serve(looking) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        looking.assets.clear()

        told = restore(workplace)

        assert told["verified"] is True
        (loss,) = [each for each in told["not_restorable"] if each["kind"] == "memori"]
        assert loss["reason"].startswith("integrations names a file that is at another URL now")

        (new,) = looking.assets
        guide.settings["integrations"][0]["customData"] = json.dumps({"logo": ASSETS + new})
        assert restore(workplace)["not_restorable"] == []
