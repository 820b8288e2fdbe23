"""`check --remote`: what the service shows, beside what the mirror holds of it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from workplace import Workplace, execute

from sync.compare import Verdict, file_verdict, verdict
from sync.kinds import KINDS
from sync.link import FileRef
from sync.sandbox import Sandbox, World, demo_world
from sync.sandbox.faults import Fault, FaultSet


def compared(outcome: Any, kind: str) -> dict[str, Any]:
    (found,) = [each for each in outcome.json["remote"]["kinds"] if each["kind"] == kind]
    return found


def test_a_mirror_that_is_right_is_the_same_in_every_kind(backed_up: Workplace):
    outcome = backed_up.run("check", "--remote", "--json")
    assert outcome.code == 0, outcome
    for each in outcome.json["remote"]["kinds"]:
        assert each["same"] == each["held"], each
        assert each["listed"] in (each["held"], None)
    assert compared(outcome, "memory")["same"] > 0
    assert compared(outcome, "file")["same"] == 1
    table = backed_up.run("check", "--remote").out
    assert max(map(len, table.splitlines())) <= 80


def test_kinds_that_no_call_shows_one_by_one_are_named(
    workplace: Workplace, serve: Callable[..., Sandbox]
):
    with serve(demo_world()) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        outcome = workplace.run("check", "--remote", "--json")
        out = workplace.run("check", "--remote").out
    remote = outcome.json["remote"]
    judged = ("same", "changed", "gone", "damaged", "unknown")
    blank = [each for each in remote["kinds"] if each["held"] and not any(map(each.get, judged))]
    names = list(dict.fromkeys(each["kind"] for each in blank))
    assert remote["only_counted"] == names
    assert {"integration", "unanswered_question"} <= {*names}
    named = f"not compared, only counted: {', '.join(names)} (the remote shows none of them"
    assert named in " ".join(out.split())


def test_without_being_told_to_it_asks_no_remote(work: Workplace, sandbox: Sandbox):
    work.first_backup()
    sandbox.calls.clear()
    assert work.run("check", "--json").json["remote"] is None
    assert not sandbox.calls


def test_what_was_changed_or_deleted_meanwhile_is_counted_and_is_no_damage(
    work: Workplace, world: World
):
    work.first_backup()
    guide = world.agent("Guide")
    first, *_ = guide.memories.values()
    first |= {"title": "Other", "lastChangeTimestamp": "2031-01-01T00:00:00Z"}
    guide.people.popitem()
    outcome = work.run("check", "--remote", "--json")
    assert outcome.code == 0
    assert compared(outcome, "memory")["changed"] == 1
    person = compared(outcome, "person")
    assert (person["gone"], person["held"] - person["listed"]) == (1, 1)


def test_an_object_that_differs_though_nobody_changed_it_is_damage(work: Workplace):
    work.first_backup()
    harm = "update {} set document = json_set(document, '$.title', 'Mallory') where {}"
    execute(work, harm.format("memory", "key = 'm-hours-1'"))
    told = "the remote shows it otherwise (title) and says that it was not changed since"
    outcome = work.run("check", "--remote", "--json")
    assert outcome.code == 4
    found = {"what": "memory", "where": "m-hours-1", "problem": told}
    assert found | {"why": "the next backup takes it over"} in outcome.json["damage"]


def test_damage_that_only_the_remote_shows_is_taken_over_by_the_next_backup(work: Workplace):
    work.first_backup()
    title = "json_set(document, '$.title', 'Mallory')"
    digest = KINDS["memory"].digest
    ((text,),) = work.sql("select document from memory where key = 'm-hours-1'")
    wrong = digest(json.loads(text) | {"title": "Mallory"})
    where = "where key = 'm-hours-1'"
    execute(work, f"update memory set title = 'Mallory', document = {title} {where}")
    execute(work, f"update change set digest = '{wrong}', document = {title} {where}")
    assert work.run("check").code == 0
    outcome = work.run("check", "--remote")
    assert outcome.code == 4
    assert "(the next backup takes it over)" in outcome.out
    assert "repair" not in outcome.out
    work.backup()
    assert work.run("check", "--remote").code == 0


def test_an_agent_that_the_account_does_not_show_any_more_is_told_and_no_error(
    work: Workplace, world: World
):
    work.first_backup()
    guide = world.agent("Guide")
    del world.agents[guide.memori_id]
    outcome = work.run("check", "--remote", "--json")
    assert outcome.code == 0, outcome
    assert [each["name"] for each in outcome.json["remote"]["not_shown"]] == ["Guide"]
    assert "Guide: the account does not show it any more" in work.run("check", "--remote").out


def test_a_file_that_could_not_be_fetched_is_no_all_clear(
    serve, workplace: Workplace, world: World
):
    fault = Fault("/api/v2/asset/*", nth=3, times=99, status=500)
    sandbox = serve(world, faults=FaultSet([fault]))
    sandbox.start()
    workplace.settle(sandbox)
    workplace.backup()
    outcome = workplace.run("check", "--remote")
    assert outcome.code == 5
    assert "file asset/" in outcome.out
    assert "was not compared: it could not be fetched: " in outcome.out
    assert "could not be compared" in outcome.out


def test_one_session_is_enough_to_compare_an_agent(work: Workplace, sandbox: Sandbox):
    work.first_backup()
    sandbox.calls.clear()
    assert work.run("check", "--remote").code == 0
    opened = [each for each in sandbox.calls if each.method == "POST"]
    assert len([each for each in opened if each.template.lower() == "/memori/v2/session"]) == 1


@pytest.mark.parametrize("name", ["person", "file"])
def test_a_table_that_is_not_there_keeps_nothing_else_from_being_compared(
    work: Workplace, name: str
):
    work.first_backup()
    execute(work, f"drop table {name}")
    outcome = work.run("check", "--remote", "--json")
    assert outcome.code == 4
    assert len([each for each in outcome.json["damage"] if each["what"] == name]) >= 1
    assert compared(outcome, "memory")["same"] > 0


def test_a_source_that_is_not_there_is_damage_and_ends_nothing(work: Workplace):
    work.first_backup()
    execute(work, "delete from source where id = 2")
    assert work.run("check", "--remote").code == 4


def test_a_file_that_is_gone_over_there_is_counted(work: Workplace, world: World):
    work.first_backup()
    world.assets.clear()
    outcome = work.run("check", "--remote", "--json")
    assert outcome.code == 0
    assert compared(outcome, "file")["gone"] == 1


def test_damage_here_is_told_even_if_the_remote_cannot_be_asked(work: Workplace, world: World):
    work.first_backup()
    execute(work, "delete from localization_key")
    world.account.password = "another"
    outcome = work.run("check", "--remote", "--json")
    assert outcome.code == 12
    assert {each["what"] for each in outcome.json["damage"]} == {"localization_key"}
    (error,) = outcome.json["remote"]["errors"]
    assert error["what"] == "the account"


def test_one_agent_that_cannot_be_asked_keeps_no_other_away(
    serve, workplace: Workplace, world: World
):
    refusal = '{"resultCode": 500, "resultMessage": "no"}'
    faults = FaultSet(
        [Fault("/memori/v2/session", "POST", nth=2, times=9, status=200, body=refusal)]
    )
    sandbox = serve(world, faults=faults)
    sandbox.start()
    workplace.settle(sandbox)
    workplace.backup()
    outcome = workplace.run("check", "--remote")
    assert outcome.code == 5
    assert "Guide was not compared: " in outcome.out
    assert "(files)" in outcome.out


def test_another_account_is_not_compared(work: Workplace, sandbox: Sandbox):
    work.first_backup()
    sandbox.world.account.user_id = "somebody else"
    outcome = work.run("check", "--remote")
    assert outcome.code == 2
    assert "this mirror holds the account of" in outcome.err


@pytest.mark.parametrize(
    ("held", "live", "expected"),
    [
        ({"firstName": "A"}, None, Verdict.GONE),
        ({"firstName": "A"}, {"firstName": "A", "tag": None}, Verdict.SAME),
        ({"firstName": "A"}, {"firstName": "B"}, Verdict.CHANGED),
        (
            {"firstName": "A", "lastChangeTimestamp": "1"},
            {"firstName": "B", "lastChangeTimestamp": "2"},
            Verdict.CHANGED,
        ),
        (
            {"firstName": "A", "lastChangeTimestamp": "1"},
            {"firstName": "B", "lastChangeTimestamp": "1"},
            Verdict.DAMAGED,
        ),
    ],
)
def test_only_a_difference_that_the_remote_denies_is_damage(held, live, expected):
    assert verdict(KINDS["person"], held, live) is expected


@pytest.mark.parametrize(
    ("key", "is_same", "outcomes", "expected"),
    [
        ("asset/a", True, {"missing", "downloaded"}, Verdict.SAME),
        ("asset/a", False, {"downloaded", "failed"}, Verdict.DAMAGED),
        ("memoriai/memori/cover/x", False, {"downloaded"}, Verdict.CHANGED),
        ("asset/a", False, {"missing", "failed"}, Verdict.GONE),
        ("asset/a", False, {"failed"}, Verdict.UNKNOWN),
        ("asset/a", False, set(), Verdict.UNKNOWN),
    ],
)
def test_only_what_never_changes_is_damaged_by_other_bytes(key, is_same, outcomes, expected):
    found = file_verdict([FileRef(key, "")], is_same=is_same, outcomes=outcomes)
    assert found is expected
