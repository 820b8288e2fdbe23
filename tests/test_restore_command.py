"""`aisuru-sync restore` as its users run it: round trips over real HTTP."""

import re
import subprocess
import threading

import pytest
from file_host import FileHost
from test_commands import PROGRAM
from workplace import Workplace, add_memory, add_people, restore, what_is_there, writes

from sync.sandbox import Asset, Fault, FaultSet, Sandbox, World, demo_world


def test_a_deleted_person_content_and_file_come_back_with_everything_that_refers_to_them(
    work: Workplace, sandbox: Sandbox, world: World
):
    work.first_backup()
    before = what_is_there(world)
    guide = world.agent("Guide")
    with sandbox.lock:
        guide.people.pop("p-anna-1")
        guide.memories.pop("m-hours-1")
        guide.memories["m-tale-1"]["title"] = "Changed"
        guide.memories["m-tale-1"]["receiverID"] = None
        guide.localization_keys["GOODBYE"]["value"] = "Changed"
        world.assets.clear()
    assert what_is_there(world) != before

    result = restore(work)

    assert result["verified"] is True
    assert result["steps"] == {"create": 3, "update": 2, "delete": 0, "upload": 1}
    assert result["done"] == 6
    assert what_is_there(world) == before


def test_a_second_restore_has_nothing_to_do_and_sends_nothing(
    work: Workplace, sandbox: Sandbox, world: World
):
    snapshot = str(work.first_backup()["snapshots"][1]["id"])
    world.agent("Guide").memories.clear()
    restore(work, "--snapshot", snapshot)
    sandbox.calls.clear()

    for args in ([], ["--snapshot", snapshot]):
        result = restore(work, *args)
        assert result["verified"] is True
        assert result["done"] == 0
        assert not any(result["steps"].values())
    assert writes(sandbox) == []


def test_a_dry_run_shows_the_plan_and_only_reads(work: Workplace, sandbox: Sandbox, world: World):
    work.first_backup()
    guide = world.agent("Guide")
    guide.people.pop("p-anna-1")
    guide.memories["m-hours-1"]["title"] = "Changed"
    sandbox.calls.clear()

    shown = work.run("restore", "--dry-run", "--json").json
    out = work.run("restore", "--dry-run").out

    assert writes(sandbox) == []
    assert shown["dry_run"] is True
    assert shown["plan"] == [
        {"op": "create", "kind": "person", "key": "p-anna-1", "fields": {}},
        {
            "op": "update",
            "kind": "memory",
            "key": "m-hours-1",
            "fields": {"title": ["Changed", "Opening hours"]},
        },
        {
            "op": "update",
            "kind": "memory",
            "key": "m-tale-1",
            "fields": {"receiverID": ["p-anna-1", "(new) p-anna-1"]},
        },
    ]
    assert shown["steps"] == {"create": 1, "update": 2, "delete": 0, "upload": 0}
    assert re.search(r"create +person +Anna", out)
    assert re.search(r"update +memory +Opening hours +title", out)
    assert max(map(len, out.splitlines())) <= 80


def test_without_a_terminal_and_without_yes_nothing_is_sent(work: Workplace, sandbox: Sandbox):
    work.first_backup()
    sandbox.calls.clear()
    outcome = work.run("restore")
    assert outcome.code == 2
    assert "--yes" in outcome.err
    assert not sandbox.calls


def test_a_session_of_its_own_is_all_that_a_restore_opens(work: Workplace, sandbox: Sandbox, world):
    work.first_backup()
    world.agent("Guide").memories.clear()
    sandbox.calls.clear()
    restore(work)
    templates = [f"{each.method} {each.template}" for each in sandbox.calls]
    assert templates.count("POST /memori/v2/Session") == 1
    assert templates.count("POST /api/v2/Login") == 1
    assert not sandbox.sessions


@pytest.mark.parametrize(
    ("args", "part"),
    [
        (["--memori", "Ghost"], "holds no Memori Ghost"),
        (["--snapshot", "99"], "there is no snapshot 99"),
        (["--memori", "Guide", "--snapshot", "99"], "Guide has no snapshot 99"),
        (["--snapshot", "1"], "of the account 'owner', and of no agent"),
        (["--snapshot", "1"], "of the same run are: 2 of 'Guide'; or say --at '20"),
        (["--snapshot", "2", "--at", "2030-01-01"], "either"),
        (["--at", "1999-01-01"], "no snapshot of 'Guide' to go back to"),
        (["--kind", "badge"], "cannot restore badge"),
        (["--key", "x"], "exactly one --kind"),
        (["--kind", "person", "--key", "ghost"], "holds no ghost"),
    ],
)
def test_a_restore_says_what_it_cannot_go_back_to(work: Workplace, args: list[str], part: str):
    work.first_backup()
    outcome = work.run("restore", "--yes", *args)
    assert outcome.code == 2, outcome
    assert part in outcome.err


@pytest.mark.parametrize("args", [(), ("--drill",)])
def test_an_agent_that_vanished_can_come_back_into_another_one_and_the_error_says_so(
    work: Workplace, world: World, args: tuple[str, ...]
):
    archive = world.add_agent("Archive")
    work.first_backup()
    del world.agents[world.agent("Guide").memori_id]
    for how in (("--snapshot", "2"), ("--memori", "Guide"), ("--snapshot", "3", "--into", "Guide")):
        outcome = work.run("restore", "--yes", *how, *args)
        assert outcome.code == 2
        assert "is not in the account any more" in outcome.err
        assert "--into NAME; the account owns: 'Archive'" in outcome.err
    restore(work, "--snapshot", "2", "--into", "Archive", *args)
    assert bool(archive.memories) is not bool(args)


def test_an_agent_that_was_renamed_since_is_the_same_one(work: Workplace, world: World):
    work.first_backup()
    guide = world.agent("Guide")
    guide.settings["name"] = "New guide"
    add_memory(guide, "m-extra")
    plan = work.run("restore", "--memori", "Guide", "--delete-extra", "--dry-run").out
    assert plan.startswith("'New guide' back to snapshot 2 of ")
    assert "never seen whole" not in plan
    add_memory(guide, "m-another")
    assert restore(work, "--snapshot", "2", "--delete-extra")["steps"]["delete"] == 2
    assert guide.settings["name"] == "Guide"


def test_several_agents_must_be_told_apart(work: Workplace, world: World):
    world.add_agent("Archive")
    work.first_backup()
    outcome = work.run("restore", "--yes")
    assert outcome.code == 2
    assert "'Guide', 'Archive'" in outcome.err
    assert restore(work, "--memori", "Archive")["verified"] is True


def test_an_older_snapshot_and_a_time_can_be_gone_back_to(work: Workplace, world: World):
    first = work.first_backup()["snapshots"][1]
    guide = world.agent("Guide")
    guide.people["p-anna-1"]["name"] = "Second"
    work.backup()

    restore(work, "--snapshot", str(first["id"]))
    assert guide.people["p-anna-1"]["name"] == "Anna"
    guide.people["p-anna-1"]["name"] = "Third"
    restore(work)
    assert guide.people["p-anna-1"]["name"] == "Second"
    restore(work, "--at", first["finished_at"])
    assert guide.people["p-anna-1"]["name"] == "Anna"


def test_only_what_was_chosen_comes_back_with_what_it_needs(work: Workplace, world: World):
    work.first_backup()
    before = what_is_there(world)
    guide = world.agent("Guide")
    guide.people.pop("p-anna-1")
    guide.memories.clear()
    guide.localization_keys["GOODBYE"]["value"] = "Changed"

    result = restore(work, "--kind", "memory", "--key", "m-tale-1")

    assert result["steps"]["create"] == 2
    assert [each["title"] for each in guide.memories.values()] == ["The bell"]
    (person,) = [each for each in guide.people.values() if each["name"] == "Anna"]
    assert next(iter(guide.memories.values()))["receiverID"] == person["personID"]
    assert guide.localization_keys["GOODBYE"]["value"] == "Changed"
    restore(work)
    assert what_is_there(world) == before


def test_nothing_is_deleted(work: Workplace, world: World):
    work.first_backup()
    guide = world.agent("Guide")
    guide.people["extra"] = {**guide.people["p-anna-1"], "personID": "extra", "tag": "🐝"}
    result = restore(work)
    assert result["verified"] is True
    assert "extra" in guide.people


def test_the_giver_is_changed_but_never_its_tag(work: Workplace, world: World):
    work.first_backup()
    giver = world.agent("Guide").giver
    name = giver["name"]
    giver["name"] = "Impostor"

    result = restore(work)

    assert giver["name"] == name
    assert result["steps"]["update"] == 1


@pytest.mark.parametrize("privacy", ["PUBLIC", "PRIVATE", "SECRET"])
def test_settings_and_the_avatar_come_back(workplace: Workplace, serve, world: World, privacy: str):
    guide = world.agent("Guide")
    guide.settings["privacyType"] = privacy
    guide.settings["secretToken"] = "t0ken-of-private" if privacy == "PRIVATE" else None
    guide.password = "own-Pa55word" if privacy == "SECRET" else None
    (workplace.folder / "own").write_text("own-Pa55word")
    more = '[[memori]]\nname = "Guide"\npassword_file = "own"\n' if privacy == "SECRET" else ""
    (asset,) = world.assets.values()
    guide.settings.update(description="A museum", avatarURL=asset.document["assetURL"])
    with serve(world) as sandbox:
        workplace.settle(sandbox, more)
        workplace.first_backup()
        guide.settings["description"] = "Changed"
        world.assets.clear()
        result = restore(workplace)

    assert result["verified"] is True
    (again,) = world.assets.values()
    assert guide.settings["description"] == "A museum"
    assert guide.settings["avatarURL"] == again.document["assetURL"]
    assert workplace.sql("select sent from restore_step where sent like '%Pa55word%'") == []


def test_a_person_that_someone_made_again_is_patched_not_doubled(work: Workplace, world: World):
    snapshot = str(work.first_backup()["snapshots"][1]["id"])
    before = what_is_there(world)
    guide = world.agent("Guide")
    again = {**guide.people.pop("p-anna-1"), "personID": "p-new", "name": "Anna by hand"}
    guide.people["p-new"] = again
    guide.memories["m-tale-1"]["receiverID"] = "p-new"

    restore(work, "--snapshot", snapshot)

    assert what_is_there(world) == before
    assert restore(work, "--snapshot", snapshot)["done"] == 0


def test_a_link_that_became_a_snippet_is_replaced(work: Workplace, world: World):
    work.first_backup()
    before = what_is_there(world)
    medium = world.agent("Guide").memories["m-hours-1"]["media"][0]
    medium.update(url=None, content="a note", mimeType="text/plain")

    result = restore(work)

    assert result["steps"]["delete"] == result["steps"]["create"] == 1
    assert what_is_there(world) == before


def test_fields_are_emptied_as_the_remote_wants_it(work: Workplace, world: World):
    work.first_backup()
    before = what_is_there(world)
    memory = world.agent("Guide").memories["m-hours-1"]
    memory.update(
        receiverID="p-anna-1",
        date="2020-01-01T00:00:00Z",
        dateUncertaintyDays=3,
        placeName="Bologna",
        placeLatitude=44.5,
        placeLongitude=11.3,
        placeUncertaintyKm=1,
        hints=["more"],
        contextVarsToSet={"A": "1"},
    )
    restore(work)
    assert what_is_there(world) == before


def test_what_cannot_come_back_is_named_and_the_rest_comes(work: Workplace, world: World):
    work.first_backup()
    guide = world.agent("Guide")
    del guide.localization_keys["GOODBYE"]
    guide.memories["m-tale-1"]["dcmOutcomeType"] = "cannot be emptied"
    guide.memories["m-tale-1"]["title"] = "Changed"

    result = restore(work)

    assert result["verified"] is True
    assert guide.memories["m-tale-1"]["title"] == "The bell"
    assert result["not_restorable"] == [
        {
            "kind": "localization_key",
            "key": "GOODBYE",
            "reason": "a single message cannot be added, only changed",
        },
        {
            "kind": "memory",
            "key": "m-tale-1",
            "reason": "dcmOutcomeType cannot be emptied",
        },
    ]
    out = work.run("restore", "--yes").out
    assert "Cannot come back:" in out


def test_a_file_comes_back_under_its_name_and_texts_point_to_it(work: Workplace, world: World):
    name = "22222222-aaaa-4bbb-8ccc-000000000009.png"
    url = f"https://assets.memori.ai/api/v2/asset/{name}"
    guide = world.agent("Guide")
    document = {
        "assetID": name[:-4],
        "assetURL": url,
        "mimeType": "image/png",
        "originalFileName": "the bell",
        "memoriID": guide.memori_id,
        "engineMemoryID": "m-tale-1",
    }
    world.assets[name] = Asset(document, b"\x89PNG\r\n\x1a\n bell")
    answer = guide.memories["m-tale-1"]["answers"][0]
    answer["text"] = f'<p>See <img src="{url}"> or {url}.</p>'
    guide.memories["m-hours-1"]["media"][0]["properties"] = {"thumbnail": url}
    work.first_backup()
    before = what_is_there(world)
    world.assets.clear()
    del guide.memories["m-tale-1"]

    result = restore(work)

    assert result["verified"] is True
    assert what_is_there(world) == before
    assert name not in str(guide.memories)
    (again,) = [e for e in world.assets.values() if e.document["originalFileName"] == "the bell"]
    assert again.document["assetURL"].endswith(".png")


def test_media_come_back_in_their_order(work: Workplace, world: World):
    guide = world.agent("Guide")
    medium = guide.memories["m-hours-1"]["media"][0]
    snippets = [
        {
            **medium,
            "mediumID": f"x-{n}",
            "url": None,
            "content": f"note {n}",
            "mimeType": "text/plain",
        }
        for n in (7, 3, 5, 1)
    ]
    guide.memories["m-hours-1"]["media"] = [*snippets[:2], medium, *snippets[2:]]
    work.first_backup()
    before = what_is_there(world)
    del guide.memories["m-hours-1"]
    world.assets.clear()
    restore(work)
    assert what_is_there(world) == before


# -- trouble on the way


@pytest.mark.parametrize(
    ("path", "trouble"),
    [
        ("/memori/v2/person/*", {"status": 500, "after": True}),
        ("/memori/v2/memory/*", {"status": 502, "body": "<html>", "after": True}),
        ("/memori/v2/medium/*", {"cut": 5, "after": True}),
        ("/api/v2/asset/*", {"status": 500}),
    ],
)
def test_a_lost_answer_leaves_no_duplicate(serve, workplace, world, path: str, trouble: dict):
    faults = FaultSet([Fault(path=path, method="POST", nth=1, **trouble)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        snapshot = str(workplace.first_backup()["snapshots"][1]["id"])
        before = what_is_there(world)
        guide = world.agent("Guide")
        guide.people.pop("p-anna-1")
        guide.memories.clear()
        world.assets.clear()

        first = workplace.run("restore", "--yes", "--json", "--snapshot", snapshot)
        assert first.code in (0, 3), first
        second = restore(workplace, "--snapshot", snapshot)

    faults.check()
    assert second["verified"] is True
    assert what_is_there(world) == before


def test_a_step_that_is_refused_does_not_stop_the_others(serve, workplace, world):
    body = '{"requestID": 1, "resultCode": 422, "resultMessage": "no"}'
    fault = Fault(path="/memori/v2/person/*", method="POST", nth=1, status=422, body=body)
    with serve(world, faults=FaultSet([fault])) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        guide = world.agent("Guide")
        guide.people.pop("p-anna-1")
        guide.memories.clear()
        result = restore(workplace, code=3)

    failed = {(each["kind"], each["key"]): each["reason"] for each in result["failures"]}
    assert "resultCode 422" in failed["person", "p-anna-1"]
    assert failed["memory", "m-tale-1"] == "needs person p-anna-1"
    assert result["verified"] is False
    assert [each["title"] for each in guide.memories.values()] == ["Opening hours"]


@pytest.mark.parametrize("call", [1, 4])
def test_a_restore_that_is_killed_goes_on_where_it_was(serve, workplace, world, call: int):
    """Killed when the remote has carried out the n-th write, before the answer arrives."""
    reached, go_on = threading.Event(), threading.Event()
    count = []

    def linger(sandbox: Sandbox) -> None:
        count.append(1)
        if len(count) == call:
            reached.set()
            go_on.wait(60)

    faults = FaultSet(
        [
            Fault(path=f"/{base}/*", method=method, do=linger)
            for base in ("memori/v2/person", "memori/v2/memory", "memori/v2/medium", "api/v2/asset")
            for method in ("POST", "PATCH")
        ]
    )
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        snapshot = str(workplace.first_backup()["snapshots"][1]["id"])
        before = what_is_there(world)
        guide = world.agent("Guide")
        guide.people.pop("p-anna-1")
        guide.memories.pop("m-hours-1")
        guide.memories["m-tale-1"].update(title="Changed", receiverID=None)
        world.assets.clear()
        args = ["restore", "--yes", "--snapshot", snapshot, "--config", str(workplace.config)]
        process = subprocess.Popen([PROGRAM, *args], stderr=subprocess.DEVNULL)
        while process.poll() is None and not reached.wait(0.05):
            pass
        process.kill()
        process.wait(60)
        go_on.set()
        result = restore(workplace, "--snapshot", snapshot)

    assert result["verified"] is True
    assert what_is_there(world) == before
    assert workplace.run("check").code == 0


def test_the_demo_account_comes_back_from_a_disaster(serve, workplace: Workplace):
    world = demo_world()
    with serve(world) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        before = what_is_there(world)
        guide = world.agent("Guida")
        giver = guide.giver["personID"]
        guide.people = {giver: guide.people[giver]}
        guide.memories.clear()
        world.assets = {
            name: each
            for name, each in world.assets.items()
            if each.document.get("memoriID") != guide.memori_id
        }
        result = restore(workplace, "--memori", "Guida")

    assert result["verified"] is True
    assert what_is_there(world) == before


def test_a_lost_upload_whose_bytes_cannot_be_read_is_not_sent_again(serve, workplace, world):
    faults = FaultSet(
        [
            Fault(path="/api/v2/asset/*", method="POST", nth=1, status=500, after=True),
            Fault(path="/api/v2/asset/*", nth=3, times=4, status=500),
        ]
    )
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        snapshot = ("--snapshot", "2")
        world.assets.clear()
        first = workplace.run("restore", "--yes", *snapshot)
        assert first.code in (3, 5)
        assert len(world.assets) == 1
        while workplace.run("restore", "--yes", *snapshot).code:
            assert len(world.assets) == 1
    assert len(world.assets) == 1


def test_whether_a_lost_upload_arrived_is_asked_wherever_files_may_come_from(
    serve, workplace, world
):
    (asset,) = world.assets.values()
    with FileHost() as host:
        host.files["/moved.png"] = asset.content
        moved = {"Location": f"{host.url}/moved.png"}
        path = "/api/v2/asset/*"
        faults = FaultSet(
            [
                Fault(path=path, method="POST", nth=1, status=500, after=True),
                # What arrived cannot be had then, nor by the listing before the second restore.
                Fault(path=path, nth=3, times=3, status=500),
                Fault(path=path, nth=6, status=302, headers=moved),
            ]
        )
        with serve(world, faults=faults) as sandbox:
            workplace.settle(sandbox, assets=host.url)
            workplace.first_backup()
            world.assets.clear()
            assert workplace.run("restore", "--yes", "--snapshot", "2").code in (3, 5)
            assert workplace.run("restore", "--yes", "--snapshot", "2").code == 0
    assert len(world.assets) == 1


def test_what_somebody_made_after_a_cut_is_never_taken_for_a_lost_object(serve, workplace, world):
    guide = world.agent("Guide")

    def write(_: Sandbox) -> None:
        theirs = {**guide.memories["m-tale-1"], "memoryID": "theirs", "title": "Precious"}
        guide.memories["theirs"] = theirs

    faults = FaultSet(
        [Fault(path="/memori/v2/memory/*", method="POST", nth=1, status=500, do=write)]
    )
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        del guide.memories["m-hours-1"]
        restore(workplace, "--snapshot", "2", code=3)
        restore(workplace, "--snapshot", "2")
    assert guide.memories["theirs"]["title"] == "Precious"
    assert sorted(each["title"] for each in guide.memories.values()) == [
        "Opening hours",
        "Precious",
        "The bell",
    ]


def test_pins_are_shown_as_stars_in_a_plan(work: Workplace, world: World):
    work.first_backup()
    world.agent("Guide").people["p-anna-1"]["pin"] = "999888"
    for args in (["--json"], []):
        outcome = work.run("restore", "--dry-run", *args)
        assert "001234" not in outcome.out + outcome.err
        assert "999888" not in outcome.out + outcome.err
    assert "pin" in work.run("restore", "--dry-run").out


def test_a_medium_lost_from_the_middle_comes_back_at_the_end_and_that_is_told(
    work: Workplace, world: World
):
    media = world.agent("Guide").memories["m-hours-1"]["media"]
    note = {**media[0], "url": None, "content": "note", "mimeType": "text/plain"}
    media[:] = [{**note, "mediumID": f"n{n}", "content": f"note {n}"} for n in range(3)]
    work.first_backup()
    del media[0]
    result = restore(work)
    assert result["not_restorable"] == [
        {
            "kind": "memory",
            "key": "m-hours-1",
            "reason": "the order of its 3 media cannot be restored",
        }
    ]
    assert [each["content"] for each in media] == ["note 1", "note 2", "note 0"]


def test_a_remote_that_cannot_be_reached_any_more_is_given_up_and_the_restore_marked(
    serve, workplace, world
):
    stopped = threading.Event()

    def vanish(sandbox: Sandbox) -> None:
        stopped.set()

    fault = Fault(path="/memori/v2/person/*", method="POST", nth=1, status=429, do=vanish)
    with serve(world, faults=FaultSet([fault])) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        world.agent("Guide").people.pop("p-anna-1")
        world.agent("Guide").memories.clear()
        outcome = workplace.run("restore", "--yes", "--json", "--snapshot", "2")
        assert outcome.code == 5, outcome
        assert workplace.sql("select status from restore") == [("incomplete",)]
        assert restore(workplace, "--snapshot", "2")["verified"] is True
    assert stopped.is_set()


def test_another_agents_file_is_never_changed_and_comes_back_as_ours_if_it_is_lost(
    work: Workplace, world: World
):
    archive = world.add_agent("Archive")
    name = "33333333-aaaa-4bbb-8ccc-000000000009.png"
    url = f"https://assets.memori.ai/api/v2/asset/{name}"
    document = {
        "assetID": name[:-4],
        "assetURL": url,
        "mimeType": "image/png",
        "originalFileName": "theirs",
        "memoriID": archive.memori_id,
        "engineMemoryID": None,
    }
    world.assets[name] = Asset(document, b"\x89PNG\r\n\x1a\n theirs")
    answer = world.agent("Guide").memories["m-tale-1"]["answers"][0]
    answer["text"] = f'<img src="{url.replace(".png", "@32x32.png")}">'
    work.first_backup()
    document["originalFileName"] = "renamed"
    assert not any(restore(work, "--memori", "Guide")["steps"].values())
    del world.assets[name]
    assert restore(work, "--memori", "Guide")["steps"]["upload"] == 1
    (again,) = [e for e in world.assets.values() if e.document["originalFileName"] == "theirs"]
    assert again.document["memoriID"] == world.agent("Guide").memori_id
    stem = again.document["assetURL"].removesuffix(".png")
    text = world.agent("Guide").memories["m-tale-1"]["answers"][0]["text"]
    assert text == f'<img src="{stem}@32x32.png">'


def test_a_name_that_is_none_of_a_file_comes_back_too(work: Workplace, world: World):
    (asset,) = world.assets.values()
    asset.document["originalFileName"] = "plan/ground\\floor"
    work.first_backup()
    world.assets.clear()
    restore(work)
    (again,) = world.assets.values()
    assert again.document["originalFileName"] == "plan/ground\\floor"


def test_a_restore_works_on_either_database(serve, workplace, world, database: str):
    workplace.database = database
    with serve(world) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        before = what_is_there(world)
        guide = world.agent("Guide")
        guide.people.pop("p-anna-1")
        guide.memories.clear()
        world.assets.clear()
        assert restore(workplace)["verified"] is True
        assert restore(workplace, "--snapshot", "2")["done"] == 0
    assert what_is_there(world) == before


def test_an_object_lost_again_and_again_is_one_object_from_whatever_snapshot_it_comes(
    work: Workplace, world: World
):
    guide = world.agent("Guide")
    snapshots = [str(work.first_backup()["snapshots"][1]["id"])]
    before = what_is_there(world)

    def lose() -> None:
        guide.people = {key: each for key, each in guide.people.items() if each["name"] != "Anna"}
        guide.memories.clear()
        world.assets.clear()

    lose()
    restore(work)
    snapshots.append(str(work.backup()["snapshots"][1]["id"]))
    for number in (1, 0):
        lose()
        restore(work, "--snapshot", snapshots[number])
        assert what_is_there(world) == before
        for each in snapshots:
            assert restore(work, "--snapshot", each)["done"] == 0
        snapshots.append(str(work.backup()["snapshots"][1]["id"]))
    assert what_is_there(world) == before


REFUSED = '{"requestID": 1, "resultCode": 422, "resultMessage": "no"}'


@pytest.mark.parametrize("method", ["DELETE", "POST"])
def test_a_replacement_that_is_refused_leaves_what_was_there_and_no_second_one(
    serve, workplace, world, method: str
):
    fault = Fault(path="/memori/v2/medium/*", method=method, nth=1, status=422, body=REFUSED)
    with serve(world, faults=FaultSet([fault])) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        before = what_is_there(world)
        media = world.agent("Guide").memories["m-hours-1"]["media"]
        media[0].update(url=None, content="a note", mimeType="text/plain")
        restore(workplace, "--snapshot", "2", code=3)
        assert [each["content"] for each in media] == ["a note"]
        restore(workplace, "--snapshot", "2")
        assert what_is_there(world) == before


def test_a_replaced_object_is_one_object_from_whatever_snapshot_it_comes(
    work: Workplace, world: World
):
    work.first_backup()
    before = what_is_there(world)
    guide = world.agent("Guide")
    guide.memories.clear()
    restore(work, "--snapshot", "2")
    newer = str(work.backup()["snapshots"][1]["id"])
    (memory,) = [each for each in guide.memories.values() if each["media"]]
    memory["media"][0].update(url=None, content="a note", mimeType="text/plain")
    restore(work, "--snapshot", "2")
    for snapshot in (newer, "2"):
        assert restore(work, "--snapshot", snapshot)["done"] == 0
    assert what_is_there(world) == before


def test_a_file_named_like_the_url_of_another_comes_back(work: Workplace, world: World):
    (asset,) = world.assets.values()
    asset.document["originalFileName"] = "https://assets.memori.ai/api/v2/asset/other.png"
    work.backup(code=3)  # that other file is not there
    world.assets.clear()
    assert restore(work)["verified"] is True


def test_a_restore_says_which_kinds_its_snapshot_lacks_and_how_old_they_are(
    serve, workplace: Workplace, world: World
):
    broken = '{"resultCode": 0, "people": null}'
    people = Fault(path="/memori/v2/people/*", nth=5, times=4, status=200, body=broken)
    with serve(world, faults=FaultSet([people])) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
        workplace.backup("--kind", "person")
        workplace.backup(code=3)
        latest = workplace.run("restore", "--dry-run")
        assert "snapshot 6" in latest.out
        assert "person is as of snapshot 4 of " in latest.out
        assert "snapshot 6 did not see it" in latest.out
        assert "memory is" not in latest.out
        named = workplace.run("restore", "--dry-run", "--snapshot", "6", "--json").json
    assert named["kinds"]["person"] == {"snapshot_id": 4, "lacks": "snapshot 6 did not see it"}
    assert named["kinds"]["memory"] == {"snapshot_id": 6, "lacks": None}
    assert named["kinds"]["asset"] == {"snapshot_id": 5, "lacks": None}


def test_a_restore_from_a_kind_that_was_never_seen_whole_says_so(
    serve, workplace: Workplace, world: World
):
    body = '{"resultCode": 0, "count": 5, "people": [{"personID": "p-anna-1"}]}'
    wrong = Fault(path="/memori/v2/people/*", status=200, body=body)
    with serve(world, faults=FaultSet([wrong])) as sandbox:
        workplace.settle(sandbox)
        workplace.backup(code=3)
    with serve(world) as sandbox:
        workplace.settle(sandbox)
        shown = workplace.run("restore", "--dry-run", "--snapshot", "2")
    assert "person was never seen whole: snapshot 2 saw it only in part" in shown.out


def test_a_file_that_cannot_be_had_keeps_no_content_from_coming_back(work: Workplace, world: World):
    guide = world.agent("Guide")
    work.backup()
    guide.memories["m-tale-1"]["answers"][0]["text"] += " https://x.y/api/v2/asset/pic.png@32x32"
    add_memory(guide, "m-later")
    assert work.backup(code=3)["snapshots"][1]["status"] == "incomplete"
    del guide.memories["m-later"]
    plan = work.run("restore", "--dry-run", "--json").json
    assert ("create", "m-later") in [(each["op"], each["key"]) for each in plan["plan"]]


def test_a_kind_that_waits_for_an_answer_keeps_no_other_from_coming_back(
    work: Workplace, world: World
):
    guide = world.agent("Guide")
    add_people(guide, 30)
    work.backup()
    for key in [each for each in guide.people if each.startswith("p-new")]:
        del guide.people[key]
    add_memory(guide, "m-later")
    work.backup(code=6)
    del guide.memories["m-later"]
    plan = work.run("restore", "--dry-run", "--json", "--kind", "memory").json
    assert ("create", "m-later") in [(each["op"], each["key"]) for each in plan["plan"]]
    plan = work.run("restore", "--dry-run", "--json").json
    assert plan["steps"]["create"] >= 31
    assert plan["kinds"]["person"]["lacks"]


def test_what_a_look_at_a_plan_noted_as_gone_comes_back_after_a_limited_run_too(
    work: Workplace, world: World
):
    guide = world.agent("Guide")
    work.backup()
    del guide.people["p-anna-1"]
    assert work.run("restore", "--dry-run", "--json").json["steps"]["create"] == 1
    work.backup("--kind", "memory")
    for each in ("--dry-run", "--drill"):
        assert work.run("restore", each, "--json", "--yes").json["steps"]["create"] == 1
    assert restore(work)["verified"] is True
    assert "Anna" in [each["name"] for each in guide.people.values()]
