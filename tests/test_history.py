"""Log, diff, show and status: history one can use, through losses and restores."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_commands import expect
from test_mirror import MEMORY, see
from workplace import Workplace, fill

from sync.cli.changes import contrast, log_lines, short
from sync.history import diff, log, span
from sync.kinds import KINDS
from sync.mirror.journal import Journal
from sync.mirror.mirror import Mirror
from sync.mirror.values import Status
from sync.sandbox import Fault, FaultSet, Sandbox, World
from sync.status import is_too_old, whole_at, worst_status

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def mirror(database):
    mirror = Mirror(database, KINDS)
    mirror.migrate()
    yield mirror
    mirror.close()


@pytest.fixture
def source(mirror: Mirror):
    return mirror.register_memori("1", "Guide", "e1")


def person(key: str, name: str) -> dict[str, Any]:
    return {"personID": key, "name": name}


def come_back(mirror: Mirror, source, before_id: int, ident: tuple[str, str], new_key: str) -> None:
    """Note what a restore does when it brings an object back."""
    journal = Journal(mirror, source)
    restore_id = journal.start(before_id, before_id)
    step_id = journal.begin(restore_id, "create", ident, {})
    journal.done(step_id, ident, new_key)
    journal.finish(restore_id, "complete")


# -- the jobs, on both databases


def test_a_diff_reads_only_what_changed_between_the_two(mirror, source):
    many = [person(f"k{n:04}", f"{n}") for n in range(1200)]
    first, _ = see(mirror, source, many)
    second, _ = see(mirror, source, [*many[:600], person("k0600", "other"), *many[601:]])
    asked = []
    sa.event.listen(mirror.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))

    (found,) = diff(mirror, KINDS, span(mirror, first, second))

    assert (found.key, found.fields) == ("k0600", {"name": ("600", "other")})
    assert len(asked) < 20 + 2 * len(KINDS)


def test_a_change_that_was_taken_back_is_no_difference(mirror, source):
    first, _ = see(mirror, source, [person("a", "Anna")])
    see(mirror, source, [person("a", "Bea"), person("b", "Bea")])
    third, _ = see(mirror, source, [person("a", "Anna")], gone=["b"])
    assert list(diff(mirror, KINDS, span(mirror, first, third))) == []


STATES = st.lists(
    st.dictionaries(st.sampled_from("abcd"), st.sampled_from("xyz")), min_size=2, max_size=5
)


@settings(
    max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(STATES)
def test_the_diff_of_any_two_snapshots_turns_the_one_into_the_other(mirror, states):
    source = mirror.register_memori(f"of run {mirror.next_run_id()}", "Guide", "e")
    ids, there = [], set()
    for state in states:
        documents = [person(key, name) for key, name in state.items()]
        ids.append(see(mirror, source, documents, gone=there - state.keys())[0])
        there = set(state)
    for first, before in zip(ids, states, strict=True):
        for second, after in zip(ids, states, strict=True):
            state = dict(before)
            for each in diff(mirror, KINDS, span(mirror, first, second)):
                old, new = each.fields["name"]
                assert state.pop(each.key, None) == old
                state |= {} if new is None else {each.key: new}
            assert state == after


def test_a_log_pages_through_all_changes_the_latest_first(mirror, source):
    see(mirror, source, [person(f"k{n:04}", "x") for n in range(1100)])
    see(mirror, source, [person(f"k{n:04}", "y") for n in range(1100)])
    changes = list(log(mirror, KINDS))
    assert len(changes) == 2200
    assert [each.op for each in changes[::1100]] == ["updated", "created"]
    assert changes[0].snapshot_id > changes[-1].snapshot_id
    assert changes[0].fields == ("name",)


def test_history_follows_an_object_through_two_losses(mirror, source):
    tale = {"memoryID": "m", "title": "tale"}
    first, _ = see(mirror, source, [person("p", "Anna")])
    see(mirror, source, [{**tale, "receiverID": "p"}], kind=MEMORY)
    whole = mirror.past.last_snapshot(source)
    see(mirror, source, [], gone=["p"])
    come_back(mirror, source, first, ("person", "p"), "p1")
    see(mirror, source, [person("p1", "Anna")])
    see(mirror, source, [], gone=["p1"])
    lost = mirror.past.last_snapshot(source)
    come_back(mirror, source, first, ("person", "p1"), "p2")
    see(mirror, source, [{**tale, "receiverID": "p2"}], kind=MEMORY)
    see(mirror, source, [person("p2", "Anna")])

    for key in ("p", "p1", "p2"):
        told = [(each.op, each.key, each.was) for each in log(mirror, KINDS, "person", key)]
        assert told == [
            ("created", "p2", "p1"), ("deleted", "p1", None), ("created", "p1", "p"),
            ("deleted", "p", None), ("created", "p", None),
        ]  # fmt: skip
    assert list(diff(mirror, KINDS, span(mirror, whole))) == []
    see(mirror, source, [person("p2", "Anna B.")])
    (found,) = diff(mirror, KINDS, span(mirror, whole))
    assert (found.op, found.key, found.was) == ("updated", "p2", "p")
    (found, *_) = diff(mirror, KINDS, span(mirror, mirror.past.last_snapshot(source), whole))
    assert (found.op, found.key, found.was) == ("updated", "p", "p2")
    (found,) = diff(mirror, KINDS, span(mirror, whole, lost))
    assert (found.op, found.key, found.was) == ("deleted", "p", None)


def test_the_key_map_of_another_memori_never_applies(mirror, source):
    other = mirror.register_memori("2", "Archive", "e2")
    first, _ = see(mirror, source, [person("p", "Anna")])
    see(mirror, source, [person("p1", "Anna")], gone=["p"])
    come_back(mirror, other, first, ("person", "p"), "p1")
    found = diff(mirror, KINDS, span(mirror, first))
    assert [(each.op, each.key) for each in found] == [("deleted", "p"), ("created", "p1")]


# -- the commands, on a whole world


def lose_and_restore(work: Workplace, world: World) -> tuple[int, int]:
    """Back up, lose nearly all of Guide, restore; the snapshots before the loss and after all."""
    before = work.backup()["snapshots"][1]["id"]
    agent = world.agent("Guide")
    agent.people.pop("p-anna-1")
    agent.memories.clear()
    world.assets.clear()
    assert work.run("restore", "--memori", "Guide", "--yes").code == 0
    return before, work.run("snapshots", "--json").json["snapshots"][-1]["id"]


def test_diff_tells_each_field_for_people_and_machines_with_pins_as_stars(
    work: Workplace, world: World
):
    first = work.first_backup()["snapshots"][1]["id"]
    agent = world.agent("Guide")
    agent.people["p-anna-1"] |= {"name": "Anna B.", "pin": "009999"}
    agent.memories["m-hours-1"]["answers"][0]["text"] = "Closed"
    agent.memories["m-hours-1"]["readOccurrences"] = 7
    del agent.memories["m-tale-1"]
    second = work.backup()["snapshots"][1]["id"]

    document = work.run("diff", str(first), "--json").json

    assert list(document)[:2] == ["command", "exit_code"]
    assert document["snapshots"] == [first, second]
    changes = {each["key"]: each for each in document["changes"]}
    assert changes.keys() == {"p-anna-1", "m-hours-1", "m-tale-1"}
    anna = changes["p-anna-1"]
    assert anna["source"]["name"] == "Guide"
    assert (anna["kind"], anna["op"]) == ("person", "updated")
    assert anna["fields"] == {"name": ["Anna", "Anna B."], "pin": ["****", "****"]}
    assert list(changes["m-hours-1"]["fields"]) == ["answers"]
    assert changes["m-tale-1"]["op"] == "deleted"
    assert changes["m-tale-1"]["fields"]["title"] == ["The bell", None]

    outcome = work.run("diff", str(first), str(second), "--exit-code")
    assert outcome.code == 20
    assert "updated person p-anna-1 Anna B.\n  - name: Anna\n  + name: Anna B.\n" in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 80
    assert "001234" not in outcome.out
    assert "009999" not in outcome.out

    back = work.run("diff", str(second), str(first), "--json", "--kind", "memory").json
    assert {each["key"]: each["op"] for each in back["changes"]} == {
        "m-hours-1": "updated",
        "m-tale-1": "created",
    }


def test_two_states_that_are_equal_have_no_differences_and_end_with_0(work: Workplace):
    first = work.first_backup()["snapshots"][1]["id"]
    work.backup()
    outcome = work.run("diff", str(first), "--exit-code")
    told = "Guide, from snapshot 2 to 4\n\nno differences\n"
    assert (outcome.code, outcome.out) == (0, told)
    assert work.run("diff", str(first), "--json").json["changes"] == []


@pytest.mark.parametrize(
    ("args", "part"),
    [
        ("diff 99", "no snapshot 99"),
        ("diff 1 99", "no snapshot 99"),
        ("diff 1 2", "snapshot 1 is of owner, snapshot 2 of Guide"),
        ("diff 1 --kind ghost", "no kind 'ghost'"),
        ("log ghost", "no kind 'ghost'"),
        ("log person ghost", "never held a person 'ghost'"),
        ("log --memori Ghost", "no Memori 'Ghost'"),
        ("log --since someday", "not a time"),
        ("status --max-age soon", "not a duration"),
    ],
)
def test_a_wrong_question_ends_with_2_and_says_so(work: Workplace, args: str, part: str):
    work.first_backup()
    expect(work.run(*args.split()), 2, part)
    document = work.run(*args.split(), "--json").json
    assert (document["exit_code"], part in document["error"]["message"]) == (2, True)


def test_log_tells_who_changed_and_when_for_people_and_machines(work: Workplace, world: World):
    work.first_backup()
    world.agent("Guide").people["p-anna-1"]["name"] = "Anna B."
    second = work.backup()["snapshots"][1]["id"]

    (change, *others) = work.run("log", "--json").json["changes"]

    assert (change["snapshot_id"], change["source"]["name"]) == (second, "Guide")
    assert (change["kind"], change["key"], change["op"]) == ("person", "p-anna-1", "updated")
    assert (change["fields"], change["title"], change["was"]) == (["name"], "Anna B.", None)
    assert datetime.fromisoformat(change["seen_at"]).tzinfo
    assert {each["op"] for each in others} == {"created"}
    assert "file" not in {each["kind"] for each in others}
    out = work.run("log", "person").out
    assert out.startswith(f"snapshot {second} of Guide, ")
    assert "\n  updated person p-anna-1 Anna B.\n    name\n" in out
    assert max(map(len, work.run("log").out.splitlines())) <= 80


def test_log_can_be_narrowed_down(work: Workplace, world: World):
    fill(world, world.add_agent("Archive"))
    work.first_backup()

    def names(*args: str) -> set[str]:
        changes = work.run("log", "--json", *args).json["changes"]
        return {each["source"]["name"] for each in changes}

    assert names() == {"owner", "Guide", "Archive"}
    assert names("--memori", "Guide") == {"Guide"}
    assert names("localization_key", "GOODBYE") == {"Guide", "Archive"}
    assert names("file") == {"owner", "Guide", "Archive"}
    tomorrow = (datetime.now().astimezone() + timedelta(days=1)).date().isoformat()
    assert names("--since", tomorrow) == set()
    assert work.run("log", "--since", tomorrow).out == "no changes\n"
    assert len(work.run("log", "--json", "-n", "3").json["changes"]) == 3


def test_what_a_restore_brought_back_is_one_object_in_log_diff_and_show(
    work: Workplace, world: World
):
    before, after = lose_and_restore(work, world)
    (new_key,) = [key for key, each in world.agent("Guide").people.items() if each["tag"] == "🦊"]

    for key in ("p-anna-1", new_key):
        changes = work.run("log", "person", key, "--json").json["changes"]
        told = [(each["op"], each["key"], each["was"]) for each in changes]
        assert told == [
            ("created", new_key, "p-anna-1"),
            ("deleted", "p-anna-1", None),
            ("created", "p-anna-1", None),
        ]
    assert f"created person {new_key} Anna\n    was p-anna-1\n" in work.run("log", "person").out

    for two in ((before, after), (after, before)):
        assert work.run("diff", *map(str, two)).out.endswith("\n\nno differences\n")
    account = work.run("snapshots", "--json").json["snapshots"][0]["id"]
    assert work.run("diff", str(account), "--exit-code").code == 0

    shown = work.run("show", "person", "p-anna-1", "--json").json
    assert (shown["key"], shown["present_key"], shown["is_deleted"]) == ("p-anna-1", new_key, False)
    assert f"which is {new_key} there" in work.run("show", "person", "p-anna-1").out
    then = work.run("show", "person", new_key, "--snapshot", str(before), "--json").json
    assert (then["key"], then["present_key"]) == (new_key, "p-anna-1")


def test_what_was_changed_after_it_came_back_is_the_only_difference(work: Workplace, world: World):
    before, _ = lose_and_restore(work, world)
    (memory,) = [e for e in world.agent("Guide").memories.values() if e["title"] == "Opening hours"]
    memory["media"][0]["title"] = "plan"
    work.first_backup()
    (change,) = work.run("diff", str(before), "--json").json["changes"]
    assert (change["kind"], change["op"], change["was"]) == ("medium", "updated", "x-map-1")
    assert change["fields"] == {"title": ["map", "plan"]}


# -- status


def test_status_tells_how_fresh_each_source_is(work: Workplace):
    work.backup()
    outcome = work.run("status", "--json", "--max-age", "1h")
    assert outcome.code == 0
    document = outcome.json
    owner, guide = document["sources"]
    assert owner["source"]["scope"] == "account"
    assert guide["source"]["name"] == "Guide"
    assert 0 <= guide["age_s"] < 60
    of_agents = [each for each in KINDS.values() if each.scope == "memori"]
    assert set(guide["kinds"]) == {each.name for each in of_agents if not each.is_personal}
    assert guide["last_snapshot"]["status"] == "complete"
    assert guide["files"] == {"missing": 0, "failed": 0, "left_out": 0, "failed_keys": []}
    assert (document["last_run"]["run_id"], document["last_run"]["status"]) == (1, "complete")
    assert document["too_old"] == document["open_restores"] == []
    out = work.run("status").out
    assert "Guide" in out
    assert max(map(len, out.splitlines())) <= 80


def age(work: Workplace, hours: int) -> None:
    """Let all snapshots so far be older."""
    work.sql("select 1")
    engine = sa.create_engine(f"sqlite:///{work.folder}/mirror.db")
    with engine.begin() as connection:
        connection.execute(
            sa.text("update snapshot set started_at = datetime(started_at, :by)"),
            {"by": f"-{hours} hours"},
        )
    engine.dispose()


def test_a_source_is_as_old_as_the_kind_that_was_not_seen_for_longest(work: Workplace):
    work.first_backup()
    age(work, 30)
    assert work.run("status").code == 0
    work.backup("--kind", "person")

    outcome = work.run("status", "--max-age", "26h")

    assert outcome.code == 7
    assert "older than 26h: owner, Guide" in outcome.out
    assert "Guide: localization_key, memory, medium, " in outcome.out
    document = work.run("status", "--max-age", "26h", "--json").json
    assert document["exit_code"] == 7
    assert [each["name"] for each in document["too_old"]] == ["owner", "Guide"]
    assert document["sources"][1]["kinds"]["person"]["age_s"] < 60
    assert work.run("status", "--max-age", "2d").code == 0
    work.backup()
    assert work.run("status", "--max-age", "26h").code == 0


def test_what_was_never_seen_whole_is_too_old_at_any_age(work: Workplace, world: World):
    work.run("migrate")
    assert work.run("status").code == 0
    outcome = work.run("status", "--max-age", "9999w")
    assert (outcome.code, "everything" in outcome.out) == (7, True)
    world.agent("Guide").settings["giverPIN"] = "999999"
    work.backup(code=12)
    outcome = work.run("status", "--max-age", "9999w")
    assert outcome.code == 7
    assert "older than 9999w: owner, Guide" in outcome.out
    assert "never" in work.run("status").out


def test_an_agent_that_is_gone_is_not_too_old(work: Workplace, sandbox: Sandbox, world: World):
    other = world.add_agent("Archive")
    work.first_backup()
    age(work, 30)
    del world.agents[other.memori_id]
    work.backup()
    assert work.sql("select name from source where gone_at is not null") == [("Archive",)]
    outcome = work.run("status", "--max-age", "26h")
    assert outcome.code == 0
    assert "Archive is gone from the account since " in outcome.out
    told = work.run("status", "--json").json
    assert [each["source"]["name"] for each in told["gone"]] == ["Archive"]
    assert [each["source"]["name"] for each in told["sources"]] == ["owner", "Guide"]


def test_an_agent_that_the_settings_no_longer_name_is_told_of_and_not_too_old(
    work: Workplace, sandbox: Sandbox, world: World
):
    world.add_agent("Archive")
    work.first_backup()
    age(work, 30)
    work.settle(sandbox, '[[memori]]\nname = "Guide"\n')
    work.backup()

    outcome = work.run("status", "--max-age", "26h")

    assert outcome.code == 0
    assert "Archive is not backed up any more: no [[memori]]" in outcome.out
    told = work.run("status", "--json").json
    assert [each["name"] for each in told["left_out"]] == ["Archive"]
    assert [each["source"]["name"] for each in told["sources"]] == ["owner", "Guide"]


def test_status_names_files_that_are_not_there_and_restores_that_were_cut(
    workplace: Workplace, serve, world: World
):
    medium = world.agent("Guide").memories["m-hours-1"]["media"][0]
    lost = "https://assets.memori.ai/api/v2/asset/deadbeef-0000-4000-8000-000000000000.png"
    fault = Fault(path="/memori/v2/person/*", method="POST", status=500)
    with serve(world, faults=FaultSet([fault])) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        medium["url"] = lost
        workplace.backup(code=3)
        del world.agent("Guide").people["p-anna-1"]
        assert workplace.run("restore", "--memori", "Guide", "--yes").code == 3
    document = workplace.run("status", "--json").json
    assert document["sources"][1]["files"]["missing"] == 1
    (restore,) = document["open_restores"]
    assert (restore["restore_id"], restore["target"]["name"]) == (1, "Guide")
    assert "restore 1 of Guide, begun" in workplace.run("status").out


# -- the pure rules


def test_a_source_is_whole_when_its_last_kind_is():
    old, new = NOW - timedelta(days=2), NOW
    assert whole_at([new, old, new]) == old
    assert whole_at([new, None]) is None
    assert whole_at([]) is None


def test_what_was_never_seen_is_too_old_and_what_is_just_as_old_as_allowed_is_not():
    day = timedelta(days=1)
    assert is_too_old(None, NOW, day)
    assert is_too_old(NOW - day - timedelta(seconds=1), NOW, day)
    assert not is_too_old(NOW - day, NOW, day)
    assert not is_too_old(NOW + day, NOW, day)


def test_a_run_went_as_its_worst_snapshot():
    assert worst_status([Status.COMPLETE, Status.FAILED, Status.INCOMPLETE]) == "failed"
    assert worst_status([Status.COMPLETE]) == "complete"
    assert all(worst_status([each]) is each for each in Status)


def test_long_values_are_cut_so_that_where_they_differ_can_be_seen():
    start, end = "a" * 100, "z" * 100
    old, new = contrast(f"{start}old{end}", f"{start}new{end}", 60)
    assert old.startswith("…aaa")
    assert "old" in old
    assert "new" in new
    assert max(len(old), len(new)) <= 60
    assert contrast("x" + end, "y" + end, 20)[0].startswith("x")
    assert contrast("old", "new", 20) == ("old", "new")
    assert contrast("", end, 20) == ("", short(end, 20))


@given(st.text(), st.text(), st.integers(20, 80))
def test_no_pair_of_values_outgrows_its_room(old: str, new: str, room: int):
    assert all(len(each) <= room for each in contrast(old, new, room))


def test_nothing_logged_is_told_as_such():
    assert list(log_lines([])) == ["no changes"]


def test_what_a_restore_or_a_drill_sees_makes_nothing_fresh(work: Workplace, world: World):
    work.first_backup()
    before = work.run("status", "--json").json["sources"]
    world.agent("Guide").memories.clear()
    assert work.run("restore", "--dry-run").code == 0
    after = work.run("status", "--json").json["sources"]
    assert [each["complete_at"] for each in after] == [each["complete_at"] for each in before]
