"""Cut anywhere, a restore is only to be run again: all comes back, and nothing twice.

Killed at each commit of its journal, which is where its calls go out and where their answers are
noted, and robbed of each of its answers, by a world that holds equal objects of every kind.
"""

import itertools
import json
import random
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any

import pytest
from places import Driver, Place, Places, side_by_side, succeeds
from robber import TROUBLES, Robber
from workplace import Workplace, restore, writes
from worlds import broken_lives, disaster, everything, mid_sized

from sync.sandbox import Fault, FaultSet, Sandbox, World

SEED = 20261126
BEGUN, DONE = r'\s*insert into "?restore_step', r'\s*update "?restore_step'
"""What a step is noted with, before its call goes out and after its answer came."""
STEPS, CALLS = 23, 24
"""Of a whole restore: a file whose name is none is named by a call of its own."""
RESTORE = ("restore", "--yes", "--json")


@dataclass
class Case:
    """A disaster of its own: a world that has lost most, the mirror that knows it whole."""

    place: Place
    world: World
    sandbox: Sandbox

    def restore(self) -> list[str]:
        return self.place.command(*RESTORE)


@dataclass
class Disasters:
    """Makes disasters that are all alike.

    Attributes:
        whole: everything, as it was before.
    """

    places: Places
    driver: Driver
    base: Place = field(init=False)
    whole: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        world = mid_sized()
        self.whole = everything(world)
        with Sandbox(world) as sandbox:
            self.base = self.places.make(sandbox=sandbox)
            succeeds(self.driver(self.base.command("backup")), 0)
        self.base.engine.dispose()

    def make(self, robber: Robber | None = None) -> Case:
        """One more, whose sandbox is to be entered."""
        world = mid_sized()
        disaster(world)
        sandbox = Sandbox(world, middleware=robber.wrap if robber else None)
        sandbox.start()
        return Case(self.places.make(self.base, sandbox), world, sandbox)


@pytest.fixture
def disasters(places: Places, drivers: "SimpleQueue[Driver]") -> Disasters:
    driver = drivers.get()
    try:
        return Disasters(places, driver)
    finally:
        drivers.put(driver)


def check_that_it_goes_on(case: Case, driver: Driver, whole: dict[str, Any], told: str) -> None:
    """What holds after a plain restore, whatever came before."""
    outcome = driver(case.restore(), case.place.command("check"))
    ended, check = outcome["done"]
    assert ended[0] == 0, (told, ended)
    assert json.loads(ended[1])["verified"] is True, told
    assert everything(case.world) == whole, told
    assert check[0] == 0, (told, check)
    assert case.place.sql("select * from restore_step where status = 'begun'") == [], told
    ends = {status for (status,) in case.place.sql("select status from restore")}
    assert ends <= {"complete", "incomplete", "interrupted"}, (told, ends)
    assert broken_lives(case.place.sql, 2) == [], told


def check_that_nothing_is_left_to_do(case: Case, driver: Driver, told: str) -> None:
    case.sandbox.calls.clear()
    again = driver(case.restore(), case.place.command("log", "person", "p1", "--json"))
    succeeds(again, 0, 0)
    assert json.loads(again["done"][0][1])["done"] == 0, told
    assert writes(case.sandbox) == [], told
    history = json.loads(again["done"][1][1])["changes"]
    assert [each["op"] for each in history] == ["created", "deleted", "created"], told
    assert len({each["key"] for each in history}) == 2, told


def test_killed_at_any_step_a_restore_goes_on(
    disasters: Disasters, drivers: "SimpleQueue[Driver]", places: Places
):
    """At each step in turn noted but not sent, and sent but not noted as done."""

    def die(driver: Driver, at: int) -> None:
        number = at * places.step
        is_sent = bool(number % 2)
        how = {"counted": DONE} if is_sent else {"counted": BEGUN, "after": True}
        case = disasters.make()
        try:
            ended = driver(case.restore(), commit=number, **how)
            assert ended["ended"] == -signal.SIGKILL, ended
            check_that_it_goes_on(case, driver, disasters.whole, f"step {number}, {how}")
            if at % 5 == 1:
                check_that_nothing_is_left_to_do(case, driver, f"step {number}, {how}")
        finally:
            case.sandbox.stop()
            case.place.engine.dispose()

    side_by_side(drivers, die, STEPS // places.step)


def robberies() -> Iterator[dict[int, str]]:
    """Two or three neighbours each, so that every call of a restore is robbed in some way."""
    chance = random.Random(SEED)
    names = itertools.cycle(TROUBLES)
    for number in range(1, CALLS, 2):
        neighbours = range(number, number + chance.choice([2, 3]))
        yield {each: next(names) for each in neighbours}


def test_robbed_of_any_answer_a_restore_goes_on(
    disasters: Disasters, drivers: "SimpleQueue[Driver]", places: Places
):
    planned = list(robberies())[:: places.step]

    def rob(driver: Driver, at: int) -> None:
        robber = Robber(planned[at - 1])
        case = disasters.make(robber)
        try:
            ended = driver(case.restore())
            ((code, _, _),) = ended["done"]
            assert code in (0, 3), ended
            assert robber.count >= min(planned[at - 1])
            robber.rob({})
            check_that_it_goes_on(case, driver, disasters.whole, f"{planned[at - 1]}")
            if at % 5 == 1:
                check_that_nothing_is_left_to_do(case, driver, f"{planned[at - 1]}")
        finally:
            case.sandbox.stop()
            case.place.engine.dispose()

    side_by_side(drivers, rob, len(planned))


def test_media_after_one_that_never_comes_wait_once_and_no_longer(workplace: Workplace):
    """An answer that was lost may mean that it is still to come, and then it has its place."""
    world = mid_sized()
    fault = Fault(path="/memori/v2/medium/*", method="POST", status=500)
    with Sandbox(world, faults=FaultSet([fault])) as sandbox:
        workplace.settle(sandbox)
        workplace.backup()
        del world.agent("Guide").memories["m1"]["media"][1:]
        first = restore(workplace, code=3)
        second = restore(workplace, code=3)
    reasons = [each["reason"] for each in first["failures"]]
    assert "HTTP 500" in reasons[0]
    assert reasons[1] == "its place is after medium x2, of which nothing is known yet"
    assert all("HTTP 500" in each["reason"] for each in second["failures"])
    assert [each["key"] for each in second["failures"]] == ["x2", "x3"]
