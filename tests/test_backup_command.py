"""`aisuru-sync backup` as its users run it: over real HTTP, into a real database."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from contract import Contract
from hypothesis import settings
from workplace import Workplace, fill, kind, leaving_out

from sync.sandbox import Asset, Fault, FaultSet, Sandbox, World, demo_world

PEOPLE = "/memori/v2/people/*"
PNG = b"\x89PNG\r\n\x1a\n"


def calls(sandbox: Sandbox) -> Counter[str]:
    return Counter(f"{each.method} {each.template}" for each in sandbox.calls)


def changes(work: Workplace, run_id: int) -> list[tuple[str, str, str]]:
    query = f"""
        select c.kind, c.key, c.op from change c join snapshot s on s.id = c.snapshot_id
        where s.run_id = {run_id} order by c.kind, c.key"""
    return work.sql(query)


def test_a_first_backup_mirrors_every_object_and_file_of_the_account(
    work: Workplace, sandbox: Sandbox, world: World
):
    result = work.backup()

    assert [each["status"] for each in result["snapshots"]] == ["complete", "complete"]
    assert [each["source"]["scope"] for each in result["snapshots"]] == ["account", "memori"]
    agent = world.agent("Guide")
    for name, objects in (
        ("person", agent.people),
        ("localization_key", agent.localization_keys),
        ("memory", agent.memories),
    ):
        assert kind(result, "Guide", name)["created"] == len(objects)
    assert kind(result, "Guide", "medium")["created"] == 1
    assert kind(result, "owner", "asset")["created"] == 1
    asset = next(iter(world.assets.values()))
    ((sha256,),) = work.sql("select distinct sha256 from file")
    blob = work.files / "sha256" / sha256[:2] / sha256[2:]
    assert blob.read_bytes() == asset.content
    assert work.sql("select name, pin from person where key like 'p-%'") == [("Anna", "001234")]


def test_a_second_backup_of_an_unchanged_account_writes_no_change_and_fetches_no_file(
    work: Workplace, sandbox: Sandbox
):
    work.backup()
    sandbox.calls.clear()

    result = work.backup()

    assert changes(work, result["run_id"]) == []
    assert not [each for each in calls(sandbox) if "/Asset/" in each]
    assert all(each["files"]["downloaded"] == 0 for each in result["snapshots"])


def test_one_run_logs_in_once_and_opens_and_closes_one_session_per_agent(
    work: Workplace, sandbox: Sandbox, world: World
):
    fill(world, world.add_agent("Archive"))

    work.backup()

    seen = calls(sandbox)
    assert seen["POST /api/v2/Login"] == 1
    assert seen["POST /memori/v2/Session"] == 2
    assert seen["DELETE /memori/v2/Session/{strSessionID}"] == 2
    assert not sandbox.sessions
    assert not sandbox.tokens


def test_edits_appear_as_exactly_the_right_changes_and_usage_does_not(
    work: Workplace, sandbox: Sandbox, world: World
):
    work.backup()
    agent = world.agent("Guide")
    with sandbox.lock:
        agent.memories["m-tale-1"]["title"] = "The cracked bell"
        agent.memories["m-hours-1"]["readOccurrences"] = 42
        agent.memories["m-hours-1"]["lastRead"] = "2026-11-24T10:00:00Z"
        agent.memories["m-hours-1"]["lastChangeTimestamp"] = "2026-11-24T10:00:00Z"
        agent.memories["m-hours-1"]["answers"][0]["lastChangeTimestamp"] = "2026-11-24T10:00:00Z"
        agent.people["p-new"] = {**agent.people["p-anna-1"], "personID": "p-new", "tag": "🐝"}
        agent.localization_keys["GOODBYE"]["value"] = "Arrivederci"

    result = work.backup()

    assert changes(work, result["run_id"]) == [
        ("localization_key", "GOODBYE", "updated"),
        ("memory", "m-tale-1", "updated"),
        ("person", "p-new", "created"),
    ]
    # What is no change is fresh all the same.
    row = work.sql("select read_occurrences, last_read from memory where key = 'm-hours-1'")
    assert row == [(42, "2026-11-24T10:00:00Z")]


def test_what_is_deleted_on_the_remote_is_written_as_deleted_and_kept_in_history(
    work: Workplace, sandbox: Sandbox, world: World
):
    first = work.backup()
    with sandbox.lock:
        del world.agent("Guide").memories["m-hours-1"]

    result = work.backup()

    assert changes(work, result["run_id"]) == [
        ("file", "asset/00000001-aaaa-4bbb-8ccc-000000000001.png", "deleted"),
        ("medium", "x-map-1", "deleted"),
        ("memory", "m-hours-1", "deleted"),
    ]
    snapshot = next(
        each["id"] for each in first["snapshots"] if each["source"]["scope"] == "memori"
    )
    shown = work.run("show", "memory", "m-hours-1", "--snapshot", str(snapshot), "--json")
    assert shown.json["document"]["title"] == "Opening hours"


def test_an_object_that_is_missing_from_the_list_but_still_there_is_not_deleted(
    serve, workplace: Workplace, world: World
):
    agent = world.agent("Guide")
    hidden = {}

    def hide(sandbox: Sandbox) -> None:
        with sandbox.lock:
            hidden["p-anna-1"] = agent.people.pop("p-anna-1")

    def bring_back(sandbox: Sandbox) -> None:
        with sandbox.lock:
            agent.people.update(hidden)

    faults = FaultSet(
        [
            Fault(path=PEOPLE, nth=3, do=hide),
            Fault(path="/memori/v2/person/*", do=bring_back),
        ]
    )
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
        result = workplace.backup()
    faults.check()

    assert kind(result, "Guide", "person")["deleted"] == 0
    assert workplace.sql("select key from person where key = 'p-anna-1'") == [("p-anna-1",)]


@pytest.mark.parametrize("page_cap", [1, 2, 3])
def test_a_remote_that_gives_fewer_per_page_than_asked_is_read_to_the_end(
    serve, workplace: Workplace, world: World, page_cap: int
):
    with serve(world, page_cap=page_cap) as sandbox:
        workplace.settle(sandbox)
        result = workplace.backup()

    assert kind(result, "Guide", "localization_key")["listed"] == len(
        world.agent("Guide").localization_keys
    )


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"status": 200, "body": '{"resultCode": 400, "resultMessage": "no"}'}, "resultCode 400"),
        ({"status": 200, "body": '{"resultCode": 0, "count": 1, "people": null}'}, "not a list"),
        ({"status": 200, "body": '{"resultCode": 0, "people": []}'}, "no `count`"),
        ({"status": 200, "body": "<html>maintenance</html>"}, "no AIsuru answer"),
        ({"status": 200, "body": '{"resultCode": 0, "people": [{"na'}, "no AIsuru answer"),
        ({"status": 200, "body": ""}, "no AIsuru answer"),
        ({"status": 502, "body": "<html>"}, "HTTP 502"),
        ({"cut": 40}, " broke"),
    ],
)
def test_a_page_that_is_no_page_makes_its_kind_fail_loudly_and_deletes_nothing(
    serve, workplace: Workplace, world: World, answer: dict[str, object], why: str
):
    faults = FaultSet([Fault(path=PEOPLE, nth=3, times=99, **answer)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
        result = workplace.backup(code=3)
    faults.check()

    person = kind(result, "Guide", "person")
    assert person["status"] == "failed"
    assert why in person["error"]
    assert person["deleted"] == 0
    assert kind(result, "Guide", "memory")["status"] == "complete"
    assert workplace.sql("select count(*) from person") == [(2,)]
    listed = workplace.run("snapshots").out
    assert "incomplete" in listed
    assert why in " ".join(listed.split())


@pytest.mark.parametrize(
    ("count", "people", "why"),
    [
        (5, "[]", "0 objects came where 5 were announced"),
        (0, '[{"personID": "p-anna-1"}]', "1 objects came where 0 were announced"),
        (2, '[{"personID": "p-anna-1"}, {"personID": "p-anna-1"}]', "only 1 of 2"),
    ],
)
def test_a_list_that_does_not_hold_what_it_announces_proves_nothing(
    serve, workplace: Workplace, world: World, count: int, people: str, why: str
):
    body = f'{{"resultCode": 0, "count": {count}, "people": {people}}}'
    faults = FaultSet([Fault(path=PEOPLE, nth=3, times=99, status=200, body=body)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
        result = workplace.backup(code=3)

    assert why in kind(result, "Guide", "person")["error"]
    assert kind(result, "Guide", "person")["deleted"] == 0
    assert workplace.sql("select count(*) from person") == [(2,)]


def test_a_list_that_is_wrong_once_is_read_again_and_heals(serve, workplace, world: World):
    body = '{"resultCode": 0, "count": 5, "people": []}'
    faults = FaultSet([Fault(path=PEOPLE, nth=1, times=6, status=200, body=body)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        result = workplace.backup()
        templates = [each.template for each in sandbox.calls if "/People/" in each.template]
    faults.check()
    assert kind(result, "Guide", "person")["listed"] == 2
    assert templates == ["/memori/v2/People/{strSessionID}"]


def test_a_remote_that_is_busy_for_a_moment_is_asked_again(
    serve, workplace: Workplace, world: World
):
    faults = FaultSet(
        [Fault(path=PEOPLE, nth=1, times=2, status=503, headers={"Retry-After": "0"})]
    )
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox, retry_s=10)
        result = workplace.backup()
    faults.check()

    assert kind(result, "Guide", "person")["status"] == "complete"


def test_a_session_that_dies_in_the_middle_is_opened_again_and_the_run_goes_on(
    serve, workplace: Workplace, world: World
):
    def kill(sandbox: Sandbox) -> None:
        with sandbox.lock:
            sandbox.sessions.clear()

    faults = FaultSet([Fault(path="/memori/v2/memories/*", nth=1, do=kill)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        result = workplace.backup()
        assert not sandbox.sessions
    faults.check()

    assert kind(result, "Guide", "memory")["listed"] == 2


def test_a_login_token_that_ends_in_the_middle_is_got_again(
    serve, workplace: Workplace, world: World
):
    def kill(sandbox: Sandbox) -> None:
        with sandbox.lock:
            sandbox.tokens.clear()

    faults = FaultSet([Fault(path="/api/v2/badges/*", nth=1, do=kill)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        result = workplace.backup()
    faults.check()

    assert kind(result, "owner", "badge")["status"] == "complete"


def test_a_memory_without_its_media_list_is_asked_for_them(
    workplace: Workplace, world: World, contract: Contract
):
    def middleware(app):
        return leaving_out(contract.wrap(app), "/memories/", "memories", "media")

    with Sandbox(world, middleware=middleware) as sandbox:
        workplace.settle(sandbox)
        result = workplace.backup()
        seen = calls(sandbox)

    assert seen["GET /memori/v2/Media/{strSessionID}/{strMemoryID}"] == 2
    assert kind(result, "Guide", "medium")["listed"] == 1
    assert workplace.sql("select memory_id, position from medium") == [("m-hours-1", 0)]


def test_a_memory_that_does_not_show_its_media_keeps_those_known_and_spoils_no_other(
    workplace: Workplace, world: World, contract: Contract
):
    memories = world.agent("Guide").memories
    first, second = memories.values()
    second["media"] = [{**first["media"][0], "mediumID": "x-bell"}]

    def middleware(app):
        return leaving_out(contract.wrap(app), "/memories/", "memories", "media")

    body = json.dumps({"resultCode": 400, "resultMessage": "not now"})
    fault = Fault(path=f"/memori/v2/media/*/{second['memoryID']}", nth=2, status=200, body=body)
    with Sandbox(world, middleware=middleware, faults=FaultSet([fault])) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
        first["media"].clear()
        second["title"] = "The old bell"
        result = workplace.backup("--accept-deletions", "medium=1", code=3)
        third = workplace.backup()

    assert kind(result, "Guide", "memory")["status"] == "complete"
    assert kind(result, "Guide", "memory")["updated"] == 1
    media = kind(result, "Guide", "medium")
    assert (media["status"], media["unchanged"], media["deleted"]) == ("incomplete", 1, 1)
    assert "of the memory The old bell none are shown" in media["error"]
    assert workplace.sql("select key from medium") == [("x-bell",)]
    assert kind(third, "Guide", "medium")["status"] == "complete"


def test_a_file_that_is_not_there_is_told_once_and_leaves_the_snapshot_complete(
    work: Workplace, sandbox: Sandbox, world: World
):
    medium = world.agent("Guide").memories["m-hours-1"]["media"][0]
    medium["url"] = "https://assets.memori.ai/api/v2/asset/deadbeef-0000-4000-8000-000000000000.png"

    first = work.backup(code=3)
    second = work.backup()

    for result in (first, second):
        memori = result["snapshots"][1]
        assert memori["status"] == "complete"
        assert memori["files"]["missing"] == 1
    assert work.sql("select status from file where key like '%deadbeef%'") == [("missing",)]


def test_a_download_that_fails_makes_the_snapshot_incomplete_and_keeps_the_rest(
    serve, workplace: Workplace, world: World
):
    faults = FaultSet([Fault(path="/api/v2/asset/*", status=500)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        result = workplace.backup(code=3)

    assert {each["status"] for each in result["snapshots"]} == {"incomplete"}
    assert kind(result, "Guide", "memory")["status"] == "complete"
    assert workplace.sql("select distinct status, sha256 from file") == [("failed", None)]


def test_a_download_cut_short_is_not_kept(serve, workplace: Workplace, world: World):
    faults = FaultSet([Fault(path="/api/v2/asset/*", cut=100)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.backup(code=3)

    assert workplace.stored() == []


def test_an_answer_about_a_file_is_not_kept_as_the_file(serve, workplace: Workplace, world: World):
    body = '{"requestID": 1, "resultCode": -605, "resultMessage": "malware"}'
    headers = {"Content-Type": "application/json"}
    faults = FaultSet([Fault(path="/api/v2/asset/*", status=200, body=body, headers=headers)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.backup(code=3)

    assert workplace.stored() == []


def test_a_json_file_is_kept_as_it_is(work: Workplace, world: World):
    ((name, asset),) = world.assets.items()
    asset.content = b'{"resultCode": "mine", "requestID": 7}'
    asset.document["mimeType"] = "application/json"
    json_name = name.replace(".png", ".json")
    asset.document["assetURL"] = asset.document["assetURL"].replace(name, json_name)
    world.assets[json_name] = world.assets.pop(name)
    world.agent("Guide").memories["m-hours-1"]["media"][0]["url"] = asset.document["assetURL"]

    work.backup()

    (blob,) = [each for each in (work.files / "sha256").rglob("*") if each.is_file()]
    assert blob.read_bytes() == asset.content


def test_files_that_texts_refer_to_are_fetched_too(work: Workplace, world: World):
    name = "11111111-aaaa-4bbb-8ccc-000000000009.png"
    url = f"https://assets.memori.ai/api/v2/asset/{name}"
    world.assets[name] = Asset(
        {"assetID": name[:-4], "assetURL": url, "mimeType": "image/png"}, PNG
    )
    answer = world.agent("Guide").memories["m-tale-1"]["answers"][0]
    answer["text"] = f'<p>See <img src="{url}">.</p>'

    work.backup()

    stored = work.sql(f"select status from file where key = 'asset/{name}'")
    assert set(stored) == {("stored",)}


def test_only_the_chosen_kinds_and_agents_are_backed_up(work: Workplace, world: World):
    fill(world, world.add_agent("Archive"))

    result = work.backup("--memori", "Archive", "--kind", "person", "--kind", "medium")

    account, memori = result["snapshots"]
    assert account["kinds"] == {}
    assert memori["source"]["name"] == "Archive"
    assert list(memori["kinds"]) == ["person", "memory", "medium"]


def test_an_agent_can_be_named_by_its_id(work: Workplace, world: World):
    result = work.backup("--memori", world.agent("Guide").memori_id)
    assert result["snapshots"][1]["source"]["name"] == "Guide"


def test_an_account_without_agents_is_a_complete_backup(serve, workplace: Workplace):
    with serve(World.empty()) as sandbox:
        workplace.settle(sandbox)
        result = workplace.backup()

    assert [each["status"] for each in result["snapshots"]] == ["complete"]


def test_an_agent_with_nothing_in_it_is_a_complete_backup(serve, workplace: Workplace):
    world = World.empty()
    agent = world.add_agent("Empty")
    agent.people.clear()
    agent.localization_keys.clear()
    with serve(world) as sandbox:
        workplace.settle(sandbox, "")
        # Without its Giver no Giver session opens; the kinds of the account are all there is.
        result = workplace.backup(code=12)
    assert kind(result, "owner", "memori")["listed"] == 1

    world = World.empty()
    world.add_agent("Empty").localization_keys.clear()
    with serve(world) as sandbox:
        folder = workplace.folder / "another"
        folder.mkdir()
        another = replace(workplace, folder=folder)
        another.settle(sandbox)
        result = another.backup()
    assert kind(result, "Empty", "memory")["listed"] == 0


def test_an_agent_that_is_gone_stays_in_the_mirror_and_is_marked(
    work: Workplace, sandbox: Sandbox, world: World
):
    work.backup()
    (memori_id,) = world.agents
    with sandbox.lock:
        world.agents.clear()
        world.assets.clear()

    outcome = work.run("backup", "--quiet")
    told = f"Guide ({memori_id}) is gone from the account; what it held stays here"
    assert (outcome.code, outcome.out.splitlines()) == (0, [told])
    assert "memori.gone" in outcome.err
    assert memori_id in outcome.err

    ((gone_at,),) = work.sql("select gone_at from source where scope = 'memori'")
    assert gone_at is not None
    assert work.sql("select count(*) from person") == [(2,)]
    status = work.run("status", "--json").json
    (gone,) = status["gone"]
    assert gone["source"] == {"scope": "memori", "name": "Guide", "remote_id": memori_id}
    assert gone["gone_at"][:19].replace("T", " ") == gone_at[:19]
    assert "Guide is gone from the account since 20" in work.run("status").out
    # Only the run that proves it says so.
    assert work.backup()["gone"] == []


def test_json_names_the_agents_that_a_run_proved_to_be_gone(
    work: Workplace, sandbox: Sandbox, world: World
):
    fill(world, world.add_agent("Archive"))
    assert work.backup()["gone"] == []
    with sandbox.lock:
        gone = world.agent("Archive").memori_id
        del world.agents[gone]
    told = work.backup("--kind", "memori")["gone"]
    assert told == [{"scope": "memori", "name": "Archive", "remote_id": gone}]


def test_a_field_that_nobody_declared_is_kept_counts_as_a_change_and_is_told_once(
    workplace: Workplace, world: World
):
    # Outside the contract: the description knows no such field.
    with Sandbox(world) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
        with sandbox.lock:
            for each in world.agent("Guide").people.values():
                each["mood"] = "cheerful"
        outcome = workplace.run("backup", "--json")

    assert kind(outcome.json, "Guide", "person")["updated"] == 2
    assert outcome.err.count("field.unknown") == 1
    assert "cheerful" in workplace.sql("select document from person limit 1")[0][0]


def test_the_demo_account_is_mirrored_whole(serve, workplace: Workplace, contract: Contract):
    world = demo_world()
    with serve(world) as sandbox:
        workplace.settle(sandbox)
        result = workplace.backup()

    guide = world.agent("Guida")
    assert kind(result, "Guida", "memory")["listed"] == len(guide.memories) >= 60
    assert kind(result, "Guida", "medium")["listed"] == sum(
        len(each["media"]) for each in guide.memories.values()
    )
    referenced = {each["source"]["name"]: each["files"] for each in result["snapshots"]}
    assert referenced["demo"]["downloaded"] == len(world.assets)


def test_a_whole_list_with_fewer_objects_than_its_count_proves_nothing(serve, workplace, world):
    body = '{"resultCode": 0, "totalCount": 7, "memori": []}'
    faults = FaultSet([Fault(path="/api/v2/memori/*", nth=4, status=200, body=body)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
        result = workplace.backup(code=3)
    faults.check()
    assert "0 objects came where 7 were announced" in kind(result, "owner", "memori")["error"]


def test_an_account_of_many_agents_is_mirrored_whole(workplace: Workplace, world: World):
    # 50 in a merge; by hand, with --hypothesis-profile=by_hand, 200.
    number = min(200, settings.default.max_examples)
    names = {"Guide", *(world.add_agent(f"Agent {each}").name for each in range(1, number))}
    # Outside the contract, to which other tests hold the same answers.
    with Sandbox(world) as sandbox:
        workplace.settle(sandbox)
        result = workplace.backup("--kind", "person")
        assert (calls(sandbox)["POST /memori/v2/Session"], sandbox.sessions) == (number, {})
    seen = {each["source"]["name"]: each["status"] for each in result["snapshots"]}
    assert seen == dict.fromkeys({"owner", *names}, "complete")
    assert all(kind(result, name, "person")["listed"] for name in names)
    assert workplace.sql("select count(distinct source_id) from person") == [(number,)]
