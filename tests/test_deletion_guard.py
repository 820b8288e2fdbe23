"""Too many absences are held back until a human says that they are right (design 6.2)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from workplace import Workplace, add_people, fill, kind, restore

from sync.absence import Acceptance, is_suspicious
from sync.sandbox import Fault, FaultSet, World


def crowd(world: World, name: str, number: int) -> None:
    """Let an agent know this many people more."""
    people = world.agent(name).people
    for each in range(number):
        anna = next(person for person in people.values() if person["name"] == "Anna")
        people[f"x{each}"] = {**anna, "personID": f"x{each}", "tag": f"tag {each}"}


def lose(world: World, name: str, number: int) -> None:
    people = world.agent(name).people
    for each in list(people)[-number:]:
        del people[each]


@pytest.mark.parametrize(
    ("absent", "there", "is_too_much"),
    [
        (0, 0, False), (2, 2, False), (3, 3, True), (10, 11, False), (10, 100, False),
        (11, 100, True), (11, 110, False), (11, 109, True), (1000, 10_000, False),
    ],
)  # fmt: skip
def test_many_and_a_good_part_or_all_of_a_kind_are_too_much(absent, there, is_too_much):
    assert is_suspicious(absent, there) is is_too_much


@given(there=st.integers(0, 10_000), absent=st.integers(0, 10_000))
def test_more_absences_are_never_less_suspicious(there, absent):
    absent = min(absent, there)
    if absent and is_suspicious(absent - 1, there):
        assert is_suspicious(absent, there)


def test_an_agreement_holds_for_its_number_and_one_source():
    accepted = Acceptance({"person": 3})
    assert not accepted.take("person", 4)
    assert not accepted.take("memory", 3)
    assert accepted.take("person", 3)
    assert not accepted.take("person", 3)


def test_nothing_of_a_great_loss_is_written_until_its_exact_number_is_accepted(
    work: Workplace, world: World
):
    crowd(world, "Guide", 40)
    work.backup()
    lose(world, "Guide", 20)
    world.agent("Guide").people["p-anna-1"]["name"] = "Anna B."

    result = work.backup(code=6)
    person = kind(result, "Guide", "person")
    assert (person["status"], person["deleted"], person["updated"]) == ("incomplete", 0, 1)
    assert "20 of 42 are not there any more (Anna, Anna, Anna, Anna, Anna, …)" in person["error"]
    assert "--accept-deletions person=20" in person["error"]
    assert kind(result, "Guide", "memory")["status"] == "complete"
    assert work.sql("select count(*) from person") == [(42,)]

    result = work.backup("--accept-deletions", "person=19", code=6)
    assert "not 19, as you said" in kind(result, "Guide", "person")["error"]
    assert work.sql("select count(*) from change where op = 'deleted'") == [(0,)]
    result = work.backup("--accept-deletions", "person=20")
    assert kind(result, "Guide", "person")["deleted"] == 20
    assert work.sql("select count(*) from person") == [(22,)]
    work.backup()


def test_a_number_that_nobody_asked_for_is_told_but_not_one_that_was_refused(
    work: Workplace, world: World
):
    crowd(world, "Guide", 40)
    work.first_backup()
    lose(world, "Guide", 20)
    agreed = ("--accept-deletions", "person=19", "--accept-deletions", "memory=7")
    outcome = work.run("backup", *agreed)
    assert outcome.code == 6
    assert "and not 19, as you said" in outcome.out
    needless = [each for each in outcome.err.splitlines() if "acceptance.not_needed" in each]
    assert len(needless) == 1
    assert "kind=memory number=7" in needless[0]


def test_an_agent_that_shows_up_empty_loses_nothing(work: Workplace, world: World):
    agent = world.agent("Guide")
    for number in range(3):
        agent.memories[f"m{number}"] = {**agent.memories["m-tale-1"], "memoryID": f"m{number}"}
    work.backup()
    kept = dict(agent.memories)
    agent.memories.clear()
    result = work.backup(code=6)
    assert "5 of 5" in kind(result, "Guide", "memory")["error"]
    assert kind(result, "Guide", "memory")["status"] == "incomplete"
    assert kind(result, "Guide", "medium")["error"] == "held back with memory"
    agent.memories.update(kept)
    result = work.backup()
    assert kind(result, "Guide", "memory")["unchanged"] == 5
    assert work.sql("select count(*) from change where op = 'deleted'") == [(0,)]


def test_a_great_loss_of_one_agent_is_accepted_for_that_agent_alone(work: Workplace, world: World):
    fill(world, world.add_agent("Archive"))
    for name in ("Guide", "Archive"):
        crowd(world, name, 20)
    work.backup()
    for name in ("Guide", "Archive"):
        lose(world, name, 15)
    work.backup(code=6)
    result = work.backup("--accept-deletions", "person=15", code=6)
    assert [kind(result, name, "person")["deleted"] for name in ("Guide", "Archive")] == [15, 0]
    result = work.backup("--memori", "Archive", "--accept-deletions", "person=15")
    assert kind(result, "Archive", "person")["deleted"] == 15


def test_a_restore_is_not_stopped_by_the_loss_that_it_mends(work: Workplace, world: World):
    crowd(world, "Guide", 20)
    work.backup()
    lose(world, "Guide", 20)
    outcome = work.run("restore", "--yes", "--json")
    assert outcome.json["verified"] is True
    assert len(world.agent("Guide").people) == 22
    work.backup()


def test_a_look_at_the_plan_answers_nobodys_question(work: Workplace, world: World):
    """A restore notes what it finds gone; the next run must ask about it all the same."""
    crowd(world, "Guide", 40)
    work.backup()
    lose(world, "Guide", 20)
    work.backup(code=6)
    assert work.run("restore", "--dry-run").code == 0

    result = work.backup(code=6)
    assert "20 of 42" in kind(result, "Guide", "person")["error"]
    plan = work.run("restore", "--dry-run", "--json").json
    assert plan["steps"]["create"] == 20
    work.backup("--accept-deletions", "person=20")
    assert work.run("restore", "--dry-run", "--json").json["steps"]["create"] == 0
    work.backup()


def test_what_a_look_at_the_plan_noted_as_gone_is_named_all_the_same(
    backed_up: Workplace, world: World
):
    crowd(world, "Guide", 40)
    backed_up.backup()
    lose(world, "Guide", 20)
    first = kind(backed_up.backup(code=6), "Guide", "person")["error"]
    assert backed_up.run("restore", "--dry-run").code == 0
    assert kind(backed_up.backup(code=6), "Guide", "person")["error"] == first
    assert "20 of 42 are not there any more (Anna, Anna, Anna, Anna, Anna, …)" in first


def test_after_a_cut_restore_the_rest_is_asked_about_out_of_all(
    serve, workplace: Workplace, database: str, world: World
):
    busy = Fault("/memori/v2/person/*", "POST", nth=6, times=100, status=429)
    with serve(world, faults=FaultSet([busy])) as sandbox:
        workplace.database = database
        workplace.settle(sandbox)
        crowd(world, "Guide", 40)
        workplace.backup()
        lose(world, "Guide", 20)
        assert workplace.run("restore", "--yes").code == 5
        person = kind(workplace.backup(code=6), "Guide", "person")
    assert person["listed"] == 27
    assert "15 of 42 are not there any more (Anna, Anna, Anna, Anna, Anna, …)" in person["error"]


def test_what_a_restore_deleted_is_asked_about_no_second_time(backed_up: Workplace, world: World):
    add_people(world.agent("Guide"), 20)
    restore(backed_up, "--delete-extra", "--accept-deletions", "person=20")
    assert kind(backed_up.backup(), "Guide", "person")["status"] == "complete"


def test_what_a_cut_restore_deleted_is_asked_about_no_second_time(
    serve, workplace: Workplace, database: str, world: World
):
    busy = Fault("/memori/v2/person/*", "DELETE", nth=16, times=100, status=429)
    with serve(world, faults=FaultSet([busy])) as sandbox:
        workplace.database = database
        workplace.settle(sandbox)
        workplace.backup()
        add_people(world.agent("Guide"), 20)
        agreed = ("--delete-extra", "--accept-deletions", "person=20")
        assert workplace.run("restore", "--yes", *agreed).code == 5
        assert kind(workplace.backup(), "Guide", "person")["deleted"] == 15


def test_what_a_restore_deleted_hides_no_loss_of_others(backed_up: Workplace, world: World):
    crowd(world, "Guide", 40)
    backed_up.backup()
    add_people(world.agent("Guide"), 20)
    restore(backed_up, "--delete-extra", "--accept-deletions", "person=20")
    lose(world, "Guide", 20)
    assert backed_up.run("restore", "--dry-run").code == 0
    error = kind(backed_up.backup(code=6), "Guide", "person")["error"]
    assert "20 of 42 are not there any more (Anna, Anna, Anna, Anna, Anna, …)" in error


@pytest.mark.parametrize("look", [("backup",), ("restore", "--dry-run")])
def test_what_came_again_after_a_restore_deleted_it_is_asked_about_when_it_goes(
    backed_up: Workplace, world: World, look: tuple[str, ...]
):
    people = world.agent("Guide").people
    add_people(world.agent("Guide"), 20)
    again = dict(people)
    restore(backed_up, "--delete-extra", "--accept-deletions", "person=20")
    people.update(again)
    assert backed_up.run(*look).code == 0
    lose(world, "Guide", 20)
    error = kind(backed_up.backup(code=6), "Guide", "person")["error"]
    assert "20 of 22 are not there any more" in error


def test_children_that_went_with_their_parent_hide_no_loss_of_the_others(
    work: Workplace, world: World
):
    memories = world.agent("Guide").memories
    (medium,) = memories["m-hours-1"]["media"]
    memories["m-hours-1"]["media"] += [{**medium, "mediumID": f"x{n}"} for n in range(8)]
    memories["m-tale-1"]["media"] = [{**medium, "mediumID": "other"}]
    work.backup()
    del memories["m-tale-1"]
    memories["m-hours-1"]["media"].clear()
    result = work.backup(code=6)
    assert "9 of 9" in kind(result, "Guide", "medium")["error"]
    assert kind(result, "Guide", "medium")["deleted"] == 1


def test_an_agreement_is_given_once_a_kind(work: Workplace):
    outcome = work.run("backup", "--accept-deletions", "person=1", "--accept-deletions", "person=2")
    assert outcome.code == 2
    assert "twice" in outcome.err


@pytest.mark.parametrize("odd", ["person", "person=", "=3", "person=-1", "person=x", "person=³"])
def test_an_agreement_that_cannot_be_read_is_refused(work: Workplace, odd: str):
    outcome = work.run("backup", "--accept-deletions", odd)
    assert outcome.code == 2
    assert "KIND=N" in outcome.err


def test_an_agreement_about_an_unknown_kind_is_refused(work: Workplace):
    outcome = work.run("backup", "--accept-deletions", "persons=3")
    assert outcome.code == 2
    assert "kinds: memori" in outcome.err
