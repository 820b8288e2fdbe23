"""`restore --recreate`: what no update can bring back is made again, and never lost."""

import subprocess
import threading
from collections.abc import Callable
from copy import deepcopy

import pytest
from test_commands import PROGRAM
from workplace import Workplace, kind, restore, what_is_there, writes

from sync.sandbox import Agent, Fault, FaultSet, Sandbox, World

ON_A_NOTE = {"path": "/memori/v2/medium/*", "nth": 1}


@pytest.fixture
def guide(world: World) -> Agent:
    """An agent with three notes in one memory, and a person whom nothing refers to."""
    agent = world.agent("Guide")
    audit = dict.fromkeys(("creationTimestamp", "lastChangeTimestamp"))
    person = {"personID": "p-bruno", "personType": "Receiver", "name": "Bruno", "tag": "B"}
    agent.people["p-bruno"] = {**person, "pin": "000001", "information": None, **audit}
    agent.memories["m-tale-1"]["media"] = [
        {"mediumID": f"x-{name}", "url": None, "content": name, "title": None, **audit}
        | {"mimeType": "text/plain", "properties": {}}
        for name in ("one", "two", "three")
    ]
    return agent


def notes(agent: Agent) -> list[str]:
    return [each["content"] for each in agent.memories["m-tale-1"]["media"]]


def spoil(agent: Agent) -> None:
    """Change what no update can bring back."""
    agent.people["p-bruno"]["information"] = "gossip"
    agent.memories["m-tale-1"]["media"][0]["title"] = "a title"
    agent.memories["m-tale-1"]["media"].reverse()


def test_fields_that_cannot_be_emptied_and_the_order_of_media_come_back(
    work: Workplace, sandbox: Sandbox, world: World, guide: Agent
):
    work.first_backup()
    before = what_is_there(world)
    spoil(guide)
    told = restore(work)
    assert told["steps"] == {"create": 0, "update": 0, "delete": 0, "upload": 0}
    reasons = {each["key"]: each["reason"] for each in told["not_restorable"]}
    assert reasons["p-bruno"] == "information cannot be emptied"
    assert reasons["x-one"] == "title cannot be emptied"
    assert "DELETE" not in "".join(writes(sandbox))

    result = restore(work, "--recreate", "--snapshot", "2")

    assert (result["verified"], result["not_restorable"]) == (True, [])
    assert what_is_there(world) == before
    sandbox.calls.clear()
    for args in ((), ("--recreate",)):
        assert restore(work, "--snapshot", "2", *args)["done"] == 0
    assert writes(sandbox) == []
    assert kind(work.backup(), "Guide", "person")["deleted"] == 0


def test_a_medium_lost_from_the_middle_comes_back_there(work: Workplace, guide: Agent):
    work.first_backup()
    del guide.memories["m-tale-1"]["media"][1]
    plan = work.run("restore", "--recreate", "--dry-run", "--json").json["plan"]
    assert [(each["op"], each["key"]) for each in plan] == [
        ("create", "x-two"),
        ("replace", "x-three"),
    ]
    assert restore(work, "--recreate")["verified"] is True
    assert notes(guide) == ["one", "two", "three"]
    assert guide.memories["m-tale-1"]["media"][0]["mediumID"] == "x-one"


def test_an_order_that_the_owner_chose_without_another_change_is_left_alone(
    work: Workplace, sandbox: Sandbox, guide: Agent
):
    work.first_backup()
    guide.memories["m-tale-1"]["media"].reverse()
    work.backup()
    assert restore(work, "--recreate")["not_restorable"] == []
    assert writes(sandbox) == []
    assert notes(guide) == ["three", "two", "one"]


def test_what_others_belong_or_refer_to_is_left_alone_and_named(
    work: Workplace, sandbox: Sandbox, world: World, guide: Agent
):
    work.first_backup()
    guide.people["p-anna-1"]["information"] = "gossip"
    guide.memories["m-tale-1"]["dcmOutcomeCode"] = "7"
    spoiled = deepcopy(what_is_there(world))
    result = restore(work, "--recreate")
    assert writes(sandbox) == []
    assert what_is_there(world) == spoiled
    assert {each["key"]: each["reason"] for each in result["not_restorable"]} == {
        "p-anna-1": "information cannot be emptied, and other objects belong or refer to it",
        "m-tale-1": "dcmOutcomeCode cannot be emptied, and other objects belong or refer to it",
    }


def test_what_is_made_again_is_not_held_for_deleted(work: Workplace, world: World, guide: Agent):
    for number in range(15):
        person = {**guide.people["p-bruno"], "personID": f"p{number}", "tag": f"T{number}"}
        guide.people[f"p{number}"] = person
    work.first_backup()
    before = what_is_there(world)
    for number in range(15):
        guide.people[f"p{number}"]["information"] = "gossip"
    result = restore(work, "--recreate", "--delete-extra")
    assert (result["held"], result["verified"]) == ({}, True)
    assert what_is_there(world) == before
    work.backup()
    assert restore(work, "--recreate", "--snapshot", "2")["done"] == 0


@pytest.mark.parametrize(
    "fault",
    [
        Fault(method="POST", status=500, after=True, **ON_A_NOTE),
        Fault(method="POST", cut=5, after=True, **ON_A_NOTE),
        Fault(method="POST", status=500, **ON_A_NOTE),
        Fault(method="POST", status=422, **ON_A_NOTE),
        Fault(method="DELETE", status=500, after=True, **ON_A_NOTE),
        Fault(method="DELETE", status=422, **ON_A_NOTE),
    ],
)
def test_a_lost_answer_loses_and_doubles_nothing(
    serve: Callable, workplace: Workplace, world: World, guide: Agent, fault: Fault
):
    faults = FaultSet([fault])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        before = what_is_there(world)
        spoil(guide)
        args = ("restore", "--yes", "--json", "--snapshot", "2", "--recreate")
        assert workplace.run(*args).code in (0, 3, 5)
        assert restore(workplace, "--snapshot", "2", "--recreate")["verified"] is True
        assert workplace.run(*args).json["done"] == 0
    faults.check()
    assert what_is_there(world) == before


@pytest.mark.parametrize(("method", "call"), [("DELETE", 1), ("POST", 2), ("DELETE", 4)])
def test_a_restore_that_is_killed_between_deleting_and_creating_goes_on(
    serve: Callable, workplace: Workplace, world: World, guide: Agent, method: str, call: int
):
    """The remote carries the call out after the process is gone."""
    reached, go_on = threading.Event(), threading.Event()
    count = []

    def linger(_: Sandbox) -> None:
        count.append(1)
        if len(count) == call:
            reached.set()
        if len(count) >= call:
            go_on.wait(60)

    paths = ("/memori/v2/person/*", "/memori/v2/medium/*")
    faults = FaultSet([Fault(path=path, method=method, do=linger) for path in paths])
    with serve(world, faults=faults) as sandbox:
        workplace.settle(sandbox)
        workplace.first_backup()
        before = what_is_there(world)
        spoil(guide)
        args = ["restore", "--yes", "--recreate", "--config", str(workplace.config)]
        process = subprocess.Popen([PROGRAM, *args], stderr=subprocess.DEVNULL)
        while process.poll() is None and not reached.wait(0.05):
            pass
        process.kill()
        process.wait(60)
        go_on.set()
        again = restore(workplace, "--snapshot", "2", "--recreate")
        assert again["verified"] is True
        assert restore(workplace, "--snapshot", "2", "--recreate")["done"] == 0
    assert what_is_there(world) == before
    assert workplace.run("check").code == 0
