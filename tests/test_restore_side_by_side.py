"""A restore makes several calls at once, where their order does not matter."""

import threading

import pytest
from workplace import Workplace, add_memory, add_people, restore, what_is_there

from sync.sandbox import Fault, FaultSet, Sandbox, World


def together(number: int) -> Fault:
    """A call that is answered only if so many of its sort are under way."""
    barrier = threading.Barrier(number)
    return Fault("*/Person/*", "POST", nth=1, times=number, do=lambda _: barrier.wait(10))


@pytest.mark.usefixtures("sandbox")
def test_what_does_not_hang_together_is_sent_at_the_same_time(work: Workplace, world: World):
    add_people(world.agent("Guide"), 4)
    work.first_backup()
    before = what_is_there(world)
    world.agent("Guide").people = dict(list(world.agent("Guide").people.items())[:1])
    faults = FaultSet([together(4)])
    with Sandbox(world, faults=faults) as sandbox:
        work.settle(sandbox)
        assert restore(work)["verified"] is True
    faults.check()
    assert what_is_there(world) == before


@pytest.mark.usefixtures("sandbox")
def test_answers_that_are_lost_amid_others_leave_no_duplicate(work: Workplace, world: World):
    guide = world.agent("Guide")
    add_people(guide, 12)
    for number in range(6):
        add_memory(guide, f"m-{number}")
    work.first_backup()
    before = what_is_there(world)
    guide.people = dict(list(guide.people.items())[:1])
    guide.memories.clear()
    lost = [
        Fault(f"*/{each}/*", "POST", nth=2, times=3, status=500, after=True)
        for each in ("Person", "Memory")
    ]
    faults = FaultSet(lost)
    with Sandbox(world, faults=faults) as sandbox:
        work.settle(sandbox)
        assert restore(work, code=3)["verified"] is False
        faults.check()
        assert restore(work)["verified"] is True
    assert what_is_there(world) == before
