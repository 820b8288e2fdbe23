"""A remote, or something before it, that lies, breaks, or sends what no one expects."""

import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from workplace import Workplace, fill, kind

from sync import config
from sync.app import App
from sync.backup import backup
from sync.errors import Interrupted, Unavailable
from sync.kinds import KINDS
from sync.mirror.values import Reason
from sync.redact import Redactor
from sync.sandbox import Asset, Fault, FaultSet, Sandbox, World
from sync.stop import Stop

PERSON = "/memori/v2/person/*"
PEOPLE = "/memori/v2/people/*"
HTML = {"status": 404, "body": "<html>no such page</html>"}


@pytest.fixture
def serve_raw() -> Callable[..., Sandbox]:
    """A sandbox outside the contract, for documents that the description does not allow."""
    return Sandbox


def files(work: Workplace) -> list[tuple[Any, ...]]:
    return work.sql("select source_id, key, sha256 from file order by source_id, key")


def deletions(work: Workplace) -> list[tuple[Any, ...]]:
    return work.sql("select kind, key from change where op = 'deleted'")


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (Fault(path="/memori/v2/session", method="POST", nth=2, status=503), 3),
        (Fault(path="/memori/v2/session", method="POST", nth=2, status=403,
               body='{"resultCode": 403, "resultMessage": "no"}'), 12),
        (Fault(path=PEOPLE, nth=3, status=500), 3),
        (Fault(path="/memori/v2/memories/*", nth=3, status=500), 3),
        (Fault(path="/api/v2/assets/*", nth=2, status=500), 3),
    ],
)  # fmt: skip
def test_nothing_that_was_mirrored_is_lost_when_a_later_run_fails(
    serve, workplace: Workplace, world: World, fault: Fault, code: int
):
    faults = FaultSet([fault])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
        before = files(workplace)
        workplace.backup(code=code)
        assert files(workplace) == before
        assert deletions(workplace) == []
        result = workplace.backup()
    faults.check()
    assert all(each["files"]["downloaded"] == 0 for each in result["snapshots"])
    assert len(before) == 2


def test_nothing_is_lost_when_a_later_run_is_interrupted(
    serve, workplace: Workplace, world: World, monkeypatch
):
    with serve(world) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
        before = files(workplace)

        def stop(*_: object) -> None:
            raise Interrupted("now")

        monkeypatch.setattr("sync.snapshot_files.fetch", stop)
        assert workplace.run("backup").code == 130
    assert files(workplace) == before
    assert deletions(workplace) == []
    kinds = workplace.sql("select kind, status from snapshot_kind where snapshot_id = 4")
    assert ("person", "complete") in kinds


def test_what_an_interrupted_listing_saw_is_kept_and_marked(
    serve, workplace: Workplace, world: World, monkeypatch
):
    with serve(world) as sandbox:
        workplace.settle(sandbox)
        real = Interrupted

        def stop(self: object, *_: object) -> None:
            raise real("now")

        monkeypatch.setattr("sync.snapshot.OpenSnapshot._settle_absences", stop)
        assert workplace.run("backup").code == 130
    rows = workplace.sql("select status, listed, error from snapshot_kind where kind = 'memori'")
    assert rows == [("incomplete", 1, "now")]


@pytest.mark.parametrize(
    "answers",
    [
        [Fault(path=PERSON, **HTML)],
        [Fault(path=PERSON, status=400, body='{"resultCode": 400}'),
         Fault(path="/memori/v2/session/*/isvalid", status=404, body='{"resultCode": 404}')],
        [Fault(path=PERSON, status=404, body='{"resultCode": 404}'),
         Fault(path="/memori/v2/session/*/isvalid", **HTML)],
        [Fault(path=PERSON, status=200, body='{"resultCode": 0, "person": null}')],
    ],
)  # fmt: skip
def test_only_the_remotes_own_word_proves_that_an_object_is_gone(
    serve, workplace: Workplace, world: World, answers: list[Fault]
):
    short = json.dumps({"resultCode": 0, "count": 1, "people": [world.agent("Guide").giver]})
    faults = FaultSet([Fault(path=PEOPLE, nth=3, times=2, status=200, body=short), *answers])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
        result = workplace.backup(code=3)
    faults.check()
    assert kind(result, "Guide", "person")["deleted"] == 0
    assert deletions(workplace) == []


def test_a_medium_that_is_missing_from_its_list_but_lives_keeps_its_place(
    serve, workplace: Workplace, world: World
):
    medium = world.agent("Guide").memories["m-hours-1"]["media"]
    hidden: list[Any] = []

    def hide(_: Sandbox) -> None:
        hidden.append(medium.pop())

    def bring_back(_: Sandbox) -> None:
        medium.extend(hidden)

    faults = FaultSet(
        [
            Fault(path="/memori/v2/memories/*", nth=3, do=hide),
            Fault(path="/memori/v2/medium/*", do=bring_back),
        ]
    )
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
        result = workplace.backup()
    faults.check()
    assert kind(result, "Guide", "medium")["updated"] == 0
    assert workplace.sql("select memory_id, position from medium") == [("m-hours-1", 0)]


def test_an_asset_without_its_url_is_not_taken_for_gone(serve_raw, workplace, world: World):
    ((name, asset),) = world.assets.items()
    asset.document["assetURL"] = None
    world.agent("Guide").memories["m-hours-1"]["media"].clear()
    with serve_raw(world) as sandbox:
        workplace.settle(sandbox)
        # What it is cannot be had, and that is told each time.
        workplace.backup(code=3)
        del world.assets[name]
        workplace.backup(code=3)
    assert deletions(workplace) == []


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        ('{"resultCode":-605}', "application/json"),
        ('{"resultCode":-605}', "image/png"),
        ('{"requestID":1,"resultCode":0,"resultMessage":"Ok"}', "application/json"),
        ("<html>please log in</html>", "text/html"),
    ],
)
def test_what_is_no_picture_is_not_kept_as_one(
    serve, workplace: Workplace, world: World, body: str, content_type: str
):
    headers = {"Content-Type": content_type}
    fault = Fault(path="/api/v2/asset/*", status=200, body=body, headers=headers)
    with serve(world, faults=FaultSet([fault])) as sandbox:
        workplace.settle(sandbox)
        workplace.backup(code=3)
    assert workplace.sql("select distinct sha256 from file") == [(None,)]


def test_a_run_of_some_agents_leaves_the_files_of_the_others_as_they_are(
    serve, workplace: Workplace, world: World
):
    fill(world, world.add_agent("Archive"))
    with serve(world) as sandbox:
        workplace.settle(sandbox)
        workplace.backup("--memori", "Guide")
        assert len(files(workplace)) == 2
        workplace.backup()
        before = files(workplace)
        workplace.backup("--memori", "Guide")
        assert files(workplace) == before
        assert len(before) == 4


def test_a_page_that_unpacks_to_more_than_any_page_is_not_read_to_its_end(
    serve, workplace: Workplace, world: World
):
    bomb = gzip.compress(b" " * (1 << 20), compresslevel=1) * 300
    faults = FaultSet(
        [
            Fault(
                path="/memori/v2/people/*",
                times=99,
                nth=1,
                status=200,
                body=bomb,
                headers={"Content-Encoding": "gzip"},
            )
        ]
    )
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        result = workplace.backup(code=3)
    assert "larger than 256 MiB" in kind(result, "Guide", "person")["error"]


def test_an_agent_asked_for_twice_is_backed_up_once(serve, workplace, world: World):
    agent = world.agent("Guide")
    agent.settings["privacyType"] = "SECRET"
    agent.password = "own-Pa55word"
    more = '[[memori]]\nname = "Guide"\npassword_file = "guide"\n'
    (workplace.folder / "guide").write_text("own-Pa55word")
    with serve(world) as sandbox:
        workplace.settle(sandbox, more)
        result = workplace.backup("--memori", "Guide", "--memori", agent.memori_id)
    assert len(result["snapshots"]) == 2


def test_a_delete_inside_a_key_set_is_never_repeated(serve, workplace, world: World):
    keys = world.agent("Guide").localization_keys
    for number in (1, 2, 3):
        keys[f"BYE_{number}"] = {"key": f"BYE_{number}", "value": f"bye {number}"}
    fault = Fault(
        path="/memori/v2/localizationkey/*", method="DELETE", nth=1, status=503, after=True
    )
    with serve(world, faults=FaultSet([fault])) as sandbox:
        workplace.settle(sandbox, retry_s=5)
        with workplace.connect() as account:
            (agent,) = account.agents()
            with account.giver(agent) as access, pytest.raises(Unavailable):
                access.delete(KINDS["localization_key"], {"key": "BYE_1"})
    assert [keys[each]["value"] for each in ("BYE_1", "BYE_2")] == ["bye 2", "bye 3"]


def person(**over: Any) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.agent("Guide").people["p-anna-1"].update(over)

    return change


def setting(**over: Any) -> Callable[[World], None]:
    def change(world: World) -> None:
        world.agent("Guide").settings.update(over)

    return change


def nest(depth: int) -> Any:
    deep: Any = "x"
    for _ in range(depth):
        deep = [deep]
    return deep


def end_with_a_result(serve_raw, workplace: Workplace, world: World, code: int) -> None:
    with serve_raw(world) as sandbox:
        workplace.settle(sandbox)
        outcome = workplace.run("backup", "--json")
    assert outcome.code == code, outcome
    assert workplace.run("snapshots").code == 0
    assert workplace.run("check").code == 0


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (setting(receivedInvitations="none"), 0),
        (setting(receivedInvitations=["a", None]), 0),
        (setting(engineMemoriID=None), 3),
        (setting(giverTag=None), 12),
        (setting(name="Guide [/old]"), 0),
        (setting(avatarURL="https://assets.memori.ai/api/v2/asset/" + "x" * 9000), 0),
        (setting(avatarURL=7), 0),
        (person(personID="x" * 9000), 3),
        (person(personID=7), 3),
        (person(name=nest(200)), 3),
        (person(pin=12, tag=[], information={"x": 10**40}), 0),
    ],
)
def test_odd_documents_end_with_a_result_and_never_with_a_bug(
    serve_raw, workplace: Workplace, world: World, change, code: int
):
    change(world)
    end_with_a_result(serve_raw, workplace, world, code)


@pytest.mark.parametrize(
    "change",
    [
        setting(name="Gu\ud800ide\x00"),
        setting(avatarURL="https://assets.memori.ai/api/v2/asset/\ud800.png"),
        person(name={"a": "\ud800\x00"}),
    ],
)
def test_text_that_no_database_takes_ends_with_a_result_and_never_with_a_bug(
    serve_raw, workplace: Workplace, world: World, database: str, change
):
    workplace.database = database
    change(world)
    end_with_a_result(serve_raw, workplace, world, 0)


@pytest.mark.parametrize("message", ["a\ud800b\x00c\nd", "x" * 100_000])
def test_an_odd_message_of_the_remote_is_told_and_kept(
    serve, workplace: Workplace, world: World, database: str, message: str
):
    workplace.database = database
    body = json.dumps({"resultCode": 500, "resultMessage": message})
    faults = FaultSet([Fault(path=PEOPLE, nth=1, status=200, body=body)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.backup(code=3)
    assert workplace.run("snapshots").code == 0


def test_text_that_no_terminal_can_show_comes_back_out_as_it_went_in(
    serve_raw, workplace: Workplace, world: World
):
    world.agent("Guide").people["p-anna-1"]["name"] = "a\ud800b\x1b[31m"
    with serve_raw(world) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
    shown = workplace.run("show", "person", "p-anna-1", "--json")
    assert shown.json["document"]["name"] == "a\ud800b\x1b[31m"
    out = workplace.run("show", "person", "p-anna-1").out
    assert "\x1b" not in out


def test_a_list_that_shows_the_same_page_again_and_again_ends(serve, workplace, world: World):
    body = json.dumps({"resultCode": 0, "count": 10**9, "people": [{"personID": "p"}]})
    faults = FaultSet([Fault(path=PEOPLE, nth=1, times=99, status=200, body=body)])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        result = workplace.backup(code=3)
    assert kind(result, "Guide", "person")["status"] == "incomplete"
    assert "1000000000 were announced" in kind(result, "Guide", "person")["error"]


def test_a_whole_list_of_thousands_is_taken_in_parts(serve, workplace, world: World):
    for number in range(1200):
        name = f"{number:08}-aaaa-4bbb-8ccc-000000000002.png"
        world.assets[name] = Asset(
            {
                "assetID": name[:-4],
                "assetURL": f"https://assets.memori.ai/api/v2/asset/{name}",
                "mimeType": "image/png",
            },
            b"same",
        )
    with serve(world) as sandbox:
        workplace.settle(sandbox)
        result = workplace.backup()
    assert kind(result, "owner", "asset")["created"] == 1201
    assert result["snapshots"][0]["files"]["downloaded"] == 1201


@pytest.mark.parametrize("deleted", [1, 0])
def test_what_cannot_be_asked_alone_is_gone_after_a_second_proof(
    serve, workplace: Workplace, world: World, deleted: int
):
    kinds = {**KINDS, "person": replace(KINDS["person"], get=None)}
    wrong = '{"resultCode": 0, "count": 9, "people": []}'
    # Each reading of this list takes two calls: the fifth begins the second reading of the
    # second run, which would be the proof.
    trouble = Fault(path=PEOPLE, nth=5, times=99, status=200, body=wrong)
    faults = [] if deleted else [trouble]
    with serve(world, faults=FaultSet(faults)) as sandbox:
        workplace.settle(sandbox)
        app = App(config.load(workplace.config, {}), Stop(), Redactor())
        with app.writing("a test") as mirror, app.account() as account:
            for _ in range(2):
                wishes = app.wishes((), (), Reason.MANUAL)
                result = backup(
                    account, mirror, app.store, kinds, app.means, wishes, lambda *_: None
                )
                world.agent("Guide").people.pop("p-anna-1", None)
    person = result.snapshots[1].kinds["person"]
    assert person.tally.deleted == deleted
    assert person.status == ("complete" if deleted else "incomplete")
    assert result.exit_code == (0 if deleted else 3)
