"""Integrations of an agent: pages and channels that come embedded in its settings."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from contract import Contract
from workplace import Workplace, kind, leaving_out, restore, writes

from sync.document import canonical
from sync.kinds import KINDS
from sync.mirror import schema
from sync.sandbox import Fault, FaultSet, Sandbox, World

ASSETS = "https://assets.memori.ai/api/v2/asset/"
LOGO = f"{ASSETS}00000001-aaaa-4bbb-8ccc-000000000001.png"
INTEGRATION = {
    "integrationID": "i1",
    "memoriID": "",
    "type": "LANDING_EXPERIENCE",
    "state": "NEW",
    "publish": True,
    "customData": json.dumps({"logo": LOGO, "title": 'the "Guide"'}),
    "deviceEmails": ["somebody@example.org"],
    "jobID": "job-of-another-service",
    "dataResult": {"accessToken": "s3cret-of-another-service"},
}
CANNOT_COME_BACK = "pages and channels are published on the site"
NOTHING = {"create": 0, "update": 0, "delete": 0, "upload": 0}
UPDATE = "PATCH /api/v2/Integration/{strToken}/{strIntegrationID}"
LIST = "/api/v2/Integrations/{strToken}/{strMemoriID}"
REFUSED = json.dumps({"resultCode": -52, "resultMessage": "Memori not accessible"})


@pytest.fixture
def world(world: World) -> World:
    """The agent has a page with the picture on it."""
    guide = world.agent("Guide")
    guide.settings["integrations"] = [{**INTEGRATION, "memoriID": guide.memori_id}]
    return world


@pytest.fixture
def page(world: World) -> dict[str, Any]:
    return world.agent("Guide").settings["integrations"][0]


def losses(told: dict[str, Any]) -> list[dict[str, str]]:
    return [each for each in told["not_restorable"] if each["kind"] == "integration"]


def test_it_is_a_kind_of_its_own_and_whatever_may_be_a_secret_is_not_kept(
    backed_up: Workplace, world: World, page: dict[str, Any]
):
    guide = world.agent("Guide")
    assert backed_up.sql("select key, memori_id, type, publish, custom_data from integration") == [
        ("i1", guide.memori_id, "LANDING_EXPERIENCE", True, page["customData"])
    ]
    for table in ("integration", "memori", "change"):
        found = str(backed_up.sql(f"select document from {table}"))
        for secret in ("s3cret", "somebody@example.org", "job-of-another", '"integrations"'):
            assert secret not in found, table
    told = backed_up.run("show", "integration", "i1", "--json").json
    assert told["document"]["customData"] == page["customData"]


def test_a_change_of_what_it_looks_like_is_kept_and_taken_back_and_nothing_else_is_sent(
    backed_up: Workplace, sandbox: Sandbox, page: dict[str, Any]
):
    before = page["customData"]
    page |= {"customData": '{"title": "other"}', "publish": False, "state": "OLD"}
    sandbox.calls.clear()

    told = restore(backed_up, "--memori", "Guide")

    assert (told["steps"], told["verified"]) == ({**NOTHING, "update": 1}, True)
    assert writes(sandbox) == [UPDATE]
    assert LIST not in {each.template for each in sandbox.calls}
    assert (page["customData"], page["publish"], page["state"]) == (before, False, "OLD")
    (sent,) = backed_up.sql("select sent from restore_step")
    assert json.loads(*sent) == {"customData": before}
    assert restore(backed_up, "--memori", "Guide")["done"] == 0


def test_it_comes_back_alone_or_with_the_settings_of_its_agent(
    work: Workplace, page: dict[str, Any]
):
    work.first_backup()
    before = page["customData"]
    for args in (("--kind", "integration"), ("--kind", "memori"), ("--kind", "memori", "--drill")):
        page["customData"] = "{}"
        told = restore(work, *args)
        assert (told["steps"]["update"], told["verified"]) == (1, True)
        assert page["customData"] == ("{}" if "--drill" in args else before)
    page["customData"] = before
    page["customData"] = "{}"
    told = restore(work, "--kind", "integration", "--key", "i1")
    assert (told["steps"]["update"], page["customData"]) == (1, before)


def test_one_that_is_lost_is_named_before_and_after(work: Workplace, world: World):
    work.first_backup()
    world.agent("Guide").settings["integrations"].clear()
    for args in (("--dry-run",), (), ("--kind", "integration")):
        told = restore(work, *args)
        loss = {"kind": "integration", "key": "i1", "reason": CANNOT_COME_BACK}
        assert losses(told) == [loss]
        assert told["steps"] == NOTHING
    work.backup("--accept-deletions", "integration=1")
    assert work.sql("select count(*) from integration") == [(0,)]


def test_one_that_is_new_stays_whatever_is_deleted(work: Workplace, world: World):
    work.first_backup()
    world.agent("Guide").settings["integrations"].append({**INTEGRATION, "integrationID": "i2"})
    assert restore(work, "--delete-extra")["steps"] == NOTHING
    assert restore(work, "--delete-extra", "--kind", "integration")["steps"] == NOTHING
    assert len(world.agent("Guide").settings["integrations"]) == 2


@pytest.mark.parametrize("slash", ["/", "\\/"])
def test_a_file_that_one_shows_is_fetched_and_followed_to_where_it_comes_back(
    work: Workplace, world: World, page: dict[str, Any], slash: str
):
    looks = {"logo": LOGO, "title": 'the "Guide"', "sizes": [{"small": LOGO}]}
    page["customData"] = json.dumps(looks).replace("/", slash)
    world.agent("Guide").memories.clear()
    work.first_backup()
    (name,) = world.assets
    assert work.sql("select key, status from file") == [(f"asset/{name}", "stored")]
    world.assets.clear()

    told = restore(work)

    assert told["verified"] is True
    assert losses(told) == []
    (new,) = world.assets
    moved = {"logo": world.assets[new].document["assetURL"], "title": 'the "Guide"'}
    shown = json.loads(page["customData"])
    assert shown == {**moved, "sizes": [{"small": moved["logo"]}]}
    assert new != name
    assert page["customData"].count("\\/") == page["customData"].count("/") * (slash == "\\/")
    assert restore(work)["done"] == 0


def test_a_session_in_a_url_of_one_is_not_kept(work: Workplace, page: dict[str, Any]):
    session = "5e551000-0000-4000-8000-0000000000bb"
    page["customData"] = json.dumps({"logo": f"{LOGO}/{session}"}).replace("/", "\\/")
    work.backup()
    ((kept,),) = work.sql("select custom_data from integration")
    assert session not in kept
    assert json.loads(kept)["logo"].startswith(LOGO + "/~")


def test_in_another_agent_one_is_only_named(
    work: Workplace, world: World, page: dict[str, Any], sandbox: Sandbox
):
    twin = world.add_agent("Twin")
    twin.settings["integrations"] = [
        {**INTEGRATION, "integrationID": "i2", "memoriID": twin.memori_id, "customData": "{}"}
    ]
    work.first_backup()
    before = dict(page)
    page["customData"] = "{}"
    for args in ((), ("--kind", "integration"), ("--kind", "memori")):
        told = restore(work, "--memori", "Guide", "--into", "Twin", *args)
        loss = {"kind": "integration", "key": "i1", "reason": CANNOT_COME_BACK}
        assert losses(told) == [loss]
        assert told["verified"] is True
    assert UPDATE not in writes(sandbox)
    assert twin.settings["integrations"][0]["customData"] == "{}"
    assert page == {**before, "customData": "{}"}


def test_where_the_settings_hold_no_list_it_is_asked_for_by_itself(
    workplace: Workplace, world: World, contract: Contract
):
    def middleware(app: Any) -> Any:
        return leaving_out(contract.wrap(app), "/api/v2/memori/", "memori", "integrations")

    with Sandbox(world, middleware=middleware) as sandbox:
        workplace.settle(sandbox)
        told = workplace.backup()
        asked = [each for each in sandbox.calls if each.template == LIST]
    assert len(asked) == 1
    assert kind(told, "owner", "integration")["listed"] == 1
    assert workplace.sql("select key, position from integration") == [("i1", 0)]


@pytest.mark.parametrize("body", [REFUSED, "<html>", '{"resultCode": 0, "integrations": 5}'])
def test_an_agent_whose_list_is_refused_keeps_what_is_known_and_spoils_no_other(
    workplace: Workplace, world: World, serve: Callable[..., Sandbox], body: str
):
    other = world.add_agent("Other")
    theirs = {**INTEGRATION, "integrationID": "i2", "memoriID": other.memori_id}
    other.settings["integrations"] = [theirs]
    fault = Fault(path=f"/api/v2/integrations/*/{other.memori_id}", status=200, body=body)
    with serve(world, faults=FaultSet([fault])) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
        other.settings |= {"integrations": None, "description": "new"}
        world.agent("Guide").settings["integrations"][0]["customData"] = "{}"

        told = workplace.backup(code=3)

        seen = kind(told, "owner", "integration")
        assert (seen["status"], seen["updated"], seen["deleted"]) == ("incomplete", 1, 0)
        assert "of the memori Other none are shown" in seen["error"]
        settings = kind(told, "owner", "memori")
        assert (settings["status"], settings["updated"]) == ("complete", 1)
        known = workplace.sql("select key, custom_data from integration order by key")
        assert known == [("i1", "{}"), ("i2", theirs["customData"])]
        world.agent("Guide").settings["integrations"][0]["customData"] = "[]"
        told = restore(workplace, "--memori", "Guide")
        assert (told["steps"]["update"], told["verified"]) == (1, True)
        refused = workplace.run("restore", "--yes", "--memori", "Other")
        assert (refused.code, "cannot be listed reliably now" in refused.err) == (5, True)


def test_a_mirror_of_before_is_upgraded_and_a_restore_to_then_sends_and_tells_nothing_of_it(
    workplace: Workplace, world: World, sandbox: Sandbox, database: str, page: dict[str, Any]
):
    workplace.database = database
    workplace.settle(sandbox)
    take_old_backup(workplace)
    assert workplace.run("migrate").code == 0
    page["customData"] = "{}"
    world.agent("Guide").settings["description"] = "another"

    told = restore(workplace, "--memori", "Guide")

    assert (told["steps"]["update"], told["verified"]) == (1, True)
    assert losses(told) == []
    assert [each for each in told["not_restorable"] if each["kind"] == "memori"] == []
    (sent,) = workplace.sql("select sent from restore_step")
    assert json.loads(*sent).keys() == {"description"}
    assert workplace.run("check").code == 0
    workplace.backup()
    assert workplace.sql("select custom_data from integration") == [("{}",)]
    assert '"integrations"' not in str(workplace.sql("select document from memori"))
    assert workplace.run("check").code == 0


def take_old_backup(work: Workplace) -> None:
    """A backup as it was made when integrations were a field of their agent's settings."""
    work.backup()
    engine = sa.create_engine(work.database)
    config = schema.alembic_config()
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        ((key, found),) = connection.execute(sa.text("select key, document from integration"))
        command.downgrade(config, "0009")
        for table in ("change", "snapshot_kind"):
            connection.execute(sa.text(f"delete from {table} where kind = 'integration'"))
        ((document,),) = connection.execute(sa.text("select document from memori"))
        of_page = {**json.loads(found), "integrationID": key}
        settings = {**json.loads(document), "integrations": [of_page]}
        row = {"document": canonical(settings), "digest": KINDS["memori"].digest(settings)}
        connection.execute(sa.text("update memori set document = :document"), row)
        connection.execute(
            sa.text("update change set document = :document, digest = :digest where kind='memori'"),
            row,
        )
    engine.dispose()
