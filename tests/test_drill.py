"""`aisuru-sync restore --drill`: the whole restore, rehearsed in the sandbox."""

import functools
import io
import json
import os
import random
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from others import MAKE, add_other
from workplace import Workplace, execute, fill, restore, what_is_there, writes
from worlds import mid_sized

from sync import config
from sync.app import App
from sync.drill import drill as rehearse
from sync.errors import Locked
from sync.field import Type
from sync.job import attempt
from sync.kinds import KINDS
from sync.mirror.lock import hold
from sync.mirror.values import Snapshot
from sync.redact import Redactor
from sync.sandbox import Agent, Asset, Sandbox, World, shapes
from sync.sandbox.others import TOPICS
from sync.schedule import Entry
from sync.stop import Stop
from sync.web import Metrics

ALIKE = (
    "snapshot_id",
    "target",
    "kinds",
    "steps",
    "held",
    "done",
    "failed",
    "failures",
    "not_restorable",
    "damaged",
    "verified",
    "exit_code",
)
"""What a drill says just as the restore in earnest would."""

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary folders are made; empty again at the end."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert not list(folder.iterdir())


@pytest.fixture(autouse=True)
def _under_contract(serve: Callable[..., Sandbox], monkeypatch: pytest.MonkeyPatch) -> None:
    """The sandbox of a drill keeps the contract, too."""
    monkeypatch.setattr("sync.drill.Sandbox", serve)


@pytest.fixture
def guide(world: World) -> Agent:
    return world.agent("Guide")


def drill(work: Workplace, *args: str, code: int = 0) -> dict[str, Any]:
    outcome = work.run("restore", "--drill", "--json", *args)
    assert outcome.code == code, outcome
    return outcome.json


def drill_then_earnest(work: Workplace, *args: str, code: int = 0) -> dict[str, Any]:
    """Rehearse, do it, and hold one against the other."""
    rehearsed = drill(work, *args, code=code)
    done = restore(work, *args, code=code)
    for name in ALIKE:
        assert rehearsed[name] == done[name], name
    return done


def add_people(agent: Agent, number: int) -> None:
    for each in range(number):
        key = f"p-new-{each}"
        person = {"personID": key, "personType": "Receiver", "name": f"New {each}"}
        agent.people[key] = {**person, "pin": "000000", "tag": f"new {each}"}


def blob_of(work: Workplace) -> Path:
    (blob,) = [each for each in (work.files / "sha256").rglob("*") if each.is_file()]
    return blob


def ruin(world: World) -> None:
    """Lose or change some of everything."""
    guide = world.agent("Guide")
    guide.people.pop("p-anna-1")
    guide.memories.pop("m-hours-1")
    guide.memories["m-tale-1"].update(title="Changed", receiverID=None, dcmOutcomeType="stays")
    guide.localization_keys["GOODBYE"]["value"] = "Changed"
    del guide.localization_keys["SAVED"]
    guide.settings["description"] = "Changed"
    world.assets.clear()


# -- it tells what will be


def test_of_a_ruined_agent_it_tells_what_the_restore_then_does(
    work: Workplace, world: World, guide: Agent
):
    work.first_backup()
    before = what_is_there(world)
    ruin(world)
    done = drill_then_earnest(work)
    assert done["steps"] == {"create": 3, "update": 3, "delete": 0, "upload": 1}
    assert done["verified"] is True
    assert [each["key"] for each in done["not_restorable"]] == ["SAVED", "m-tale-1"]
    assert {*before["Guide"]["keys"]} - {*what_is_there(world)["Guide"]["keys"]} == {"SAVED"}


@pytest.mark.parametrize("harm", ["lost", "other bytes", "cut"])
def test_of_an_agent_whose_file_is_lost_here_and_there_it_tells_the_failure(
    work: Workplace, world: World, harm: str
):
    work.first_backup()
    blob = blob_of(work)
    if harm == "lost":
        blob.unlink()
    else:
        blob.write_bytes(blob.read_bytes()[: -1 if harm == "cut" else None][::-1])
    ruin(world)
    done = drill_then_earnest(work, code=3)
    reasons = [each["reason"] for each in done["failures"]]
    assert "its stored file is damaged or lost" in reasons


def test_a_version_that_is_damaged_is_told_of(work: Workplace, world: World):
    work.first_backup()
    ruin(world)
    harm = "update change set document = json_set(document, '$.title', 'Mallory') where key = '{}'"
    execute(work, harm.format("m-hours-1"))
    done = drill_then_earnest(work, code=3)
    assert "m-hours-1" in [each["key"] for each in done["not_restorable"]]


def test_files_with_other_bytes_than_those_backed_up_are_told_of(work: Workplace, world: World):
    work.first_backup()
    world.assets.clear()
    restore(work)
    (asset,) = world.assets.values()
    asset.content += b"tampered"
    new = asset.document["assetURL"].rpartition("/")[2]
    execute(work, f"delete from change where kind = 'file' and key = 'asset/{new}'")
    execute(work, f"delete from file where key = 'asset/{new}'")
    done = drill_then_earnest(work, "--snapshot", "2", code=3)
    assert done["damaged"]


def test_an_older_snapshot_is_rehearsed_through_all_the_keys_that_restores_gave(
    backed_up: Workplace, world: World, guide: Agent
):
    before = what_is_there(world)
    ruin(world)
    backed_up.backup("--accept-deletions", "asset=1")
    restore(backed_up, "--snapshot", "2")
    ruin_again = guide.memories[next(key for key in guide.memories if key != "m-tale-1")]
    ruin_again["title"] = "Changed again"
    drill_then_earnest(backed_up, "--snapshot", "2")
    assert what_is_there(world)["Guide"]["memories"][0] in before["Guide"]["memories"]
    assert drill(backed_up, "--snapshot", "2")["done"] == 0


@pytest.mark.parametrize("args", [(), ("--kind", "memori"), ("--kind", "memory")])
def test_a_copy_into_another_agent_is_rehearsed_too(
    work: Workplace, world: World, guide: Agent, args: tuple[str, ...]
):
    guide.settings["description"] = "All about the museum"
    guide.memories["m-tale-1"]["answers"][0]["text"] += (
        f' <img src="{next(iter(world.assets.values())).document["assetURL"]}">'
    )
    work.first_backup()
    twin = world.add_agent("Twin")
    anna = guide.people["p-anna-1"]
    twin.people["p-own"] = {**anna, "personID": "p-own", "name": "Annie"}
    into = ("--memori", "Guide", "--into", "Twin", *args)
    assert drill_then_earnest(work, *into)["verified"] is True
    assert drill(work, *into)["done"] == 0


def test_extras_are_deleted_in_the_drill_alone(work: Workplace, world: World, guide: Agent):
    work.first_backup()
    before = what_is_there(world)
    add_people(guide, 2)
    guide.memories["m-new"] = {**guide.memories["m-tale-1"], "memoryID": "m-new"}
    guide.memories["m-hours-1"]["title"] = "Changed"
    done = drill_then_earnest(work, "--delete-extra")
    assert done["steps"]["delete"] == 3
    assert what_is_there(world) == before


def test_more_than_anyone_would_believe_is_held_in_the_drill_too(work: Workplace, guide: Agent):
    work.first_backup()
    add_people(guide, 30)
    guide.memories["m-hours-1"]["title"] = "Changed"
    drill_then_earnest(work, "--delete-extra", code=6)
    drill_then_earnest(work, "--delete-extra", "--accept-deletions", "person=30")


def test_single_objects_are_rehearsed_with_what_they_need(work: Workplace, world: World):
    work.first_backup()
    ruin(world)
    world.agent("Guide").memories.clear()
    done = drill_then_earnest(work, "--kind", "memory", "--key", "m-tale-1")
    assert done["steps"]["create"] == 2


@pytest.mark.parametrize("privacy", ["PRIVATE", "SECRET"])
def test_agents_behind_a_password_are_rehearsed_with_one_of_the_sandbox(
    workplace: Workplace, serve, world: World, guide: Agent, privacy: str
):
    guide.settings.update(
        privacyType=privacy,
        secretToken="t0ken-of-private" if privacy == "PRIVATE" else None,
        requireLoginToken=True,
        nsfw=True,
    )
    guide.password = "own-Pa55word" if privacy == "SECRET" else None
    (workplace.folder / "own").write_text("own-Pa55word")
    more = '[[memori]]\nname = "Guide"\npassword_file = "own"\n' if privacy == "SECRET" else ""
    with serve(world) as sandbox:
        workplace.settle(sandbox, more)
        workplace.first_backup()
        ruin(world)
        drill_then_earnest(workplace)
        guide.settings.update(privacyType="PUBLIC", secretToken=None)
        drill_then_earnest(workplace)


def test_an_agent_whose_giver_is_not_among_its_people_is_rehearsed(
    work: Workplace, world: World, guide: Agent
):
    guide.unlisted_giver = guide.people.pop(guide.giver["personID"])
    work.first_backup()
    ruin(world)
    drill_then_earnest(work)


def test_an_account_with_more_than_the_agent_is_rehearsed_as_a_whole(
    work: Workplace, world: World, guide: Agent
):
    other = world.add_agent("Other")
    fill(world, other)
    picture = next(
        each for each in world.assets.values() if each.document["memoriID"] == other.memori_id
    )
    picture.document["engineMemoryID"] = None
    guide.memories["m-tale-1"]["answers"][0]["text"] += f" {picture.document['assetURL']}"
    world.badges.append({"badgeID": "b-1", "name": "First", "imageURL": None})
    odd = {**picture.document, "assetID": "odd", "assetURL": None, "memoriID": None}
    world.assets["odd"] = Asset(odd, b"odd")
    work.backup(code=3)
    ruin(world)
    world.assets["odd"] = Asset(odd, b"odd")
    drill_then_earnest(work, "--memori", "Guide")


# -- what a sandbox is narrower in than a remote


@pytest.mark.parametrize("name", ["movie.webm", "not a picture.png"])
def test_a_file_that_was_on_the_remote_may_go_back_there(work: Workplace, world: World, name: str):
    (asset,) = world.assets.values()
    stem, _, extension = name.rpartition(".")
    file_name = f"ab.{extension}"
    url = f"https://assets.memori.ai/api/v2/asset/{file_name}"
    facts = {"assetID": "x", "assetURL": url, "originalFileName": stem, "engineMemoryID": None}
    world.assets[file_name] = Asset({**asset.document, **facts}, b"no signature that is known")
    work.first_backup()
    assert drill(work)["done"] == 0
    del world.assets[file_name]
    assert drill(work)["verified"] is True


BODIES = {
    "memori": shapes.MemoriBody,
    "person": shapes.PersonBody,
    "localization_key": shapes.LocalizationKeyBody,
    "memory": shapes.MemoryBody,
    "medium": shapes.MediumBody,
}


@pytest.mark.parametrize("name", BODIES)
def test_the_sandbox_takes_every_field_that_a_restore_may_send(name: str):
    kind = KINDS[name]
    sent = {**kind.writable, **kind.create_only}
    examples = {Type.TEXT: "x", Type.INTEGER: 1, Type.REAL: 0.5, Type.BOOLEAN: True}
    body = {field: examples[type_] for field, type_ in sent.items() if type_ in examples}
    assert shapes.read(json.dumps(body).encode(), BODIES[name]) == body
    assert sent.keys() <= set(shapes.field_names(BODIES[name]))


# -- it touches nothing


def everything_in(work: Workplace) -> dict[str, list[tuple[Any, ...]]]:
    url = work.database.replace("///mirror", f"///{work.folder}/mirror")
    engine = sa.create_engine(url)
    metadata = sa.MetaData()
    metadata.reflect(engine)
    with engine.connect() as connection:
        found = {
            each.name: sorted(map(repr, connection.execute(sa.select(each))))
            for each in metadata.sorted_tables
        }
    engine.dispose()
    return found


def blobs(work: Workplace) -> dict[str, tuple[int, int]]:
    return {
        str(each.relative_to(work.files)): (each.stat().st_mtime_ns, each.stat().st_size)
        for each in work.files.rglob("*")
    }


def test_nothing_is_sent_to_the_remote_and_the_mirror_keeps_its_listing_alone(
    backed_up: Workplace, sandbox: Sandbox, world: World
):
    ruin(world)
    there = what_is_there(world)
    backed_up.run("restore", "--dry-run")
    files, rows = blobs(backed_up), everything_in(backed_up)
    sandbox.calls.clear()

    assert drill(backed_up)["done"] == 7

    assert writes(sandbox) == []
    assert not sandbox.sessions
    assert not sandbox.tokens
    assert what_is_there(world) == there
    assert blobs(backed_up) == files
    now = everything_in(backed_up)
    # Of the listing there is one more run, that of a dry run, and no other difference.
    assert {name for name in now if now[name] != rows[name]} <= {
        "snapshot",
        "snapshot_kind",
        "source",
    }
    reasons = backed_up.sql("select reason, count(*) from snapshot group by reason order by reason")
    assert reasons == [("before_restore", 4), ("manual", 2)]
    assert backed_up.sql("select count(*) from restore") == [(0,)]
    assert backed_up.sql("select count(*) from key_map") == [(0,)]


def test_json_says_that_it_was_a_drill_and_the_text_that_nothing_was_sent(
    work: Workplace, world: World
):
    work.first_backup()
    ruin(world)
    told = drill(work)
    assert told["drill"] is True
    assert told["restore_id"] is None
    assert told["command"] == "restore"
    out = work.run("restore", "--drill").out
    assert out.startswith("A drill in the sandbox on this machine")
    assert "7 of 7 steps done" in out
    assert out.rstrip().endswith("Nothing was sent to the remote: 'Guide' is there as it was.")
    assert restore(work).keys() == told.keys() - {"drill", "all_lost"}


def test_of_an_agent_that_is_as_it_was_all_is_rehearsed_as_if_it_were_lost(
    work: Workplace, world: World
):
    work.first_backup()
    there = what_is_there(world)
    told = drill(work)
    assert told["steps"] == {"create": 0, "update": 0, "delete": 0, "upload": 0}
    assert told["done"] == 0
    assert told["all_lost"] == {
        # Anna, two contents, a medium of one of them, and its file.
        "steps": {"create": 4, "update": 0, "delete": 0, "upload": 1},
        "done": 5,
        "failed": 0,
        "failures": [],
        "not_restorable": [],
        "damaged": [],
        "verified": True,
    }
    out = work.run("restore", "--drill").out
    assert "nothing to do" in out
    assert "And if all were lost that a restore can make: 4 to create, 1 to upload" in out
    assert "5 of 5 steps done" in out
    assert "Nothing was sent to the remote" in out
    assert what_is_there(world) == there


def test_a_stored_file_that_is_damaged_is_found_while_nothing_is_lost_yet(
    work: Workplace, sandbox: Sandbox
):
    work.first_backup()
    blob = blob_of(work)
    blob.write_bytes(blob.read_bytes()[::-1])
    sandbox.calls.clear()
    told = drill(work, code=3)
    assert told["verified"] is True
    lost = told["all_lost"]
    assert lost["verified"] is False
    (failure,) = [each for each in lost["failures"] if each["kind"] == "asset"]
    assert failure["reason"] == "its stored file is damaged or lost"
    outcome = work.run("restore", "--drill")
    assert outcome.code == 3
    assert "failed: upload asset" in outcome.out
    assert writes(sandbox) == []


def test_a_version_that_is_damaged_is_found_while_nothing_is_lost_yet(work: Workplace):
    work.first_backup()
    harm = "update change set document = json_set(document, '$.title', 'Mallory') where key = '{}'"
    execute(work, harm.format("m-hours-1"))
    told = drill(work, code=3)
    assert "m-hours-1" in [each["key"] for each in told["all_lost"]["not_restorable"]]


def test_every_collection_is_rehearsed_as_if_it_were_lost(
    work: Workplace, world: World, guide: Agent
):
    chance = random.Random(7)  # a test must come out the same each time
    for listed_as in MAKE:
        add_other(chance, guide, listed_as)
    work.first_backup()
    lost = drill(work)["all_lost"]
    made = sum(len(each) for name, each in guide.others.items() if name != TOPICS.listed_as)
    assert made
    assert lost["steps"]["create"] == 4 + made
    assert lost["verified"] is True


def test_whatever_an_agent_has_comes_back_in_its_drill(
    workplace: Workplace, serve: Callable[..., Sandbox]
):
    with serve(mid_sized()) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        lost = drill(workplace)["all_lost"]
    assert lost["steps"] == {"create": 15, "update": 2, "delete": 0, "upload": 3}
    assert lost["verified"] is True


def test_a_copy_is_rehearsed_as_it_is_alone(work: Workplace, world: World):
    work.first_backup()
    world.add_agent("Twin")
    assert drill(work, "--into", "Twin")["all_lost"] is None


def test_a_drill_and_a_look_at_the_plan_are_two_things(work: Workplace):
    work.first_backup()
    outcome = work.run("restore", "--drill", "--dry-run")
    assert outcome.code == 2
    assert "either --dry-run or --drill" in outcome.err


def test_the_sandbox_gets_credentials_of_its_own(
    workplace: Workplace,
    serve,
    world: World,
    guide: Agent,
    monkeypatch: pytest.MonkeyPatch,
):
    guide.settings.update(privacyType="PRIVATE", secretToken="s3cret-token-private")
    secrets = {"s3cret-token-private", "Correct-horse-1", "271828"}
    seen: list[str] = []
    kept: list[bytes] = []

    def handing_out(app):
        def call(environ, start_response):
            body = b"".join(app(environ, start_response))
            if environ["PATH_INFO"].lower() in ("/memori/v2/session", "/api/v2/login"):
                answer = json.loads(body)
                secrets.update(filter(None, (answer.get("sessionID"), answer.get("token"))))
            return [body]

        return call

    def listening(app):
        def call(environ, start_response):
            data = environ["wsgi.input"].read()
            environ["wsgi.input"] = io.BytesIO(data)
            seen.append(environ["PATH_INFO"] + data.decode("latin-1"))
            return app(environ, start_response)

        return call

    inner = serve.keywords["middleware"]

    def staged(staged_world: World, **options: Any) -> Sandbox:
        seen.append(json.dumps(staged_world.to_json()))
        return Sandbox(staged_world, middleware=listening, **options)

    def keep_and_remove(folder: Path) -> None:
        kept.extend(each.read_bytes() for each in Path(folder).rglob("*") if each.is_file())
        shutil.rmtree(folder)

    monkeypatch.setattr("sync.drill.Sandbox", staged)
    monkeypatch.setattr("sync.drill.rmtree", keep_and_remove)
    monkeypatch.setenv("AISURU_SYNC_PASSWORD", "Correct-horse-1")
    with Sandbox(world, middleware=lambda app: handing_out(inner(app))) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        ruin(world)
        drill(workplace, "-v")
    assert len(secrets) == 7
    assert kept
    told = "\n".join(workplace.spoken)
    for secret in secrets:
        assert not [each for each in seen if secret in each]
        assert not [each for each in kept if secret.encode() in each]
        assert secret not in told
    # The grep can find what is there.
    assert [each for each in seen if "001234" in each]
    assert [each for each in kept if b"001234" in each]


@pytest.mark.parametrize(
    ("call", "number"),
    [(1, signal.SIGTERM), (9, signal.SIGTERM), (15, signal.SIGINT), (30, signal.SIGTERM)],
)
def test_a_drill_that_is_interrupted_leaves_nothing(
    work: Workplace, sandbox: Sandbox, world: World, monkeypatch, call: int, number: int
):
    count: list[int] = []

    def interrupting(app):
        def answer(environ, start_response):
            count.append(1)
            if len(count) == call:
                os.kill(os.getpid(), number)
            return app(environ, start_response)

        return answer

    work.first_backup()
    ruin(world)
    there = what_is_there(world)
    monkeypatch.setattr("sync.drill.Sandbox", functools.partial(Sandbox, middleware=interrupting))
    outcome = work.run("restore", "--drill", "--json")
    assert len(count) >= call
    assert outcome.code == 128 + number
    assert outcome.json["exit_code"] == 128 + number
    assert "nothing was sent to the remote" in outcome.json["error"]["hint"]
    assert what_is_there(world) == there
    assert not sandbox.sessions
    assert work.sql("select count(*) from restore") == [(0,)]


def test_a_sandbox_that_does_not_show_what_is_there_is_a_bug_and_no_verdict(
    work: Workplace, world: World, monkeypatch
):
    work.first_backup()
    ruin(world)

    def other(staged: World, **options: Any) -> Sandbox:
        staged.agent("Guide").memories.clear()
        return Sandbox(staged, **options)

    monkeypatch.setattr("sync.drill.Sandbox", other)
    outcome = work.run("restore", "--drill", "--json")
    assert outcome.code == 1
    assert "memory" in outcome.json["error"]["message"]


def test_a_drill_of_all_keeps_what_it_found_if_somebody_takes_the_mirror_between_two(
    work: Workplace, world: World, monkeypatch: pytest.MonkeyPatch
):
    fill(world, world.add_agent("Other"))
    work.backup()
    rehearsed = []

    def taken_later(app: App, snapshot: Snapshot, *rest: Any) -> Any:
        if not rehearsed:
            rehearsed.append(snapshot.source.name)
            return rehearse(app, snapshot, *rest)
        with app.reading() as mirror, hold(mirror.engine, "somebody"):
            return rehearse(app, snapshot, *rest)

    monkeypatch.setattr("sync.job.drill", taken_later)
    stop = Stop()
    app = App(config.load(work.config, {}), stop, Redactor())
    entry = Entry(cron="0 6 * * sun", job="drill")
    outcome = attempt(app, entry, stop, lambda *_: None, Metrics())
    assert outcome.exit_code == Locked.exit_code
    assert rehearsed == ["Guide"]
    assert work.sql("select exit_code from job") == [(Locked.exit_code,)]
