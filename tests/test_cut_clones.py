"""Whatever is cut between agents that are made like each other, nothing is there twice.

Each example has three agents, of which one was taught. They are cloned into each other in any
order, robbed of answers, and lose objects and files between; in the end all three know
what the first one knew. A merge tries two stories; more of it, by hand:
    pytest -n 0 tests/test_cut_clones.py --hypothesis-profile=by_hand --hypothesis-seed=N
"""

import copy
import random
from dataclasses import replace
from typing import Any
from uuid import uuid4

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from robber import TROUBLES, Robber
from workplace import Workplace, restore
from worlds import everything, mid_sized

from sync.sandbox import Sandbox, World

EXAMPLES = max(2, settings.default.max_examples // 300)
CLONES = (
    ("Guide", "Twin"),
    ("Guide", "Third"),
    ("Twin", "Third"),
    ("Twin", "Guide"),
    ("Third", "Guide"),
)
FIRST = ("--memori", "Guide", "--snapshot", "2")


def taught(world: World, name: str) -> dict[str, Any]:
    """What an agent was taught: its Giver and its settings are its own."""
    found = everything(world, name)
    people = [each for each in found["people"] if "Giver" not in each]
    return {"people": people, **{each: found[each] for each in ("memories", "files", "keys")}}


class Story:
    """What becomes of three agents, by chance."""

    def __init__(self, workplace: Workplace, seed: int) -> None:
        self.chance = random.Random(seed)
        self.world = mid_sized()
        self.robber = Robber({})
        self.work = workplace
        self._whole = {"Guide"}
        messages = self.world.agent("Guide").localization_keys
        for name in ("Twin", "Third"):
            self.world.add_agent(name).localization_keys = copy.deepcopy(messages)

    def happen(self) -> None:
        source, target = self.chance.choice(CLONES)
        if source not in self._whole:
            return
        self.lose(target)
        calls = [number for number in range(1, 60) if self.chance.random() < 0.25]
        self.robber.rob({number: self.chance.choice([*TROUBLES]) for number in calls})
        code = self.work.run("restore", "--yes", "--memori", source, "--into", target).code
        self.robber.rob({})
        assert code in (0, 3)
        if target != "Guide":
            self._whole = self._whole | {target} if code == 0 else self._whole - {target}
        if self.chance.random() < 0.5:
            assert self.work.run("restore", "--yes", "--memori", target).code in (0, 3)
        if code == 0 or self.chance.random() < 0.5:
            assert self.work.run("backup").code in (0, 3, 6)

    def lose(self, of: str) -> None:
        agent = self.world.agent(of)
        files = [
            name
            for name, each in self.world.assets.items()
            if each.document["memoriID"] == agent.memori_id
        ]
        for name in [each for each in files if self.chance.random() < 0.4]:
            del self.world.assets[name]
        for key in [each for each in agent.memories if self.chance.random() < 0.4]:
            del agent.memories[key]
        for each in agent.memories.values():
            del each["media"][self.chance.randrange(4) :]


@settings(
    max_examples=EXAMPLES,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32))
def test_nothing_is_doubled_whatever_is_cut_between_clones(workplace: Workplace, seed: int):
    here = replace(workplace, folder=workplace.folder / uuid4().hex)
    here.folder.mkdir()
    story = Story(here, seed)
    world = story.world
    with Sandbox(world, middleware=story.robber.wrap) as sandbox:
        here.settle(sandbox)
        here.backup()
        goal = taught(world, "Guide")
        for _ in range(10):
            story.happen()
        # Media that went ahead of one that had failed twice come into their order only so.
        assert restore(here, *FIRST, "--recreate")["verified"] is True
        assert taught(world, "Guide") == goal
        for name in ("Twin", "Third"):
            assert restore(here, *FIRST, "--into", name)["verified"] is True
            assert {**taught(world, name), "memories": None} == {**goal, "memories": None}
            assert len(world.agent(name).memories) == len(goal["memories"])
            assert not any(restore(here, *FIRST, "--into", name)["steps"].values())
