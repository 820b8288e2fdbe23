"""The law of restores: whatever was done since, any snapshot can be gone back to.

Worlds, edits, cuts and snapshots of chance. Edits leave alone what cannot come back (design 8):
the place of media among others, and fields that cannot be emptied.
"""

import random
import re
from dataclasses import replace
from uuid import uuid4

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from robber import TROUBLES, Robber
from workplace import Outcome, Workplace, empty_database, writes
from worlds import EDITS, broken_lives, everything, world_of_chance

from sync.kinds import KINDS
from sync.sandbox import Sandbox
from sync.snapshot import GUARDED

BACKUP, RESTORE, CUT = "backup", "restore", "cut"
EXAMPLES = max(2, settings.default.max_examples // 20)
ALL = [
    part for kind in KINDS.values() if kind.create or kind.update for part in ("--kind", kind.name)
]


class Story:
    """What happens to an agent, by chance."""

    def __init__(self, workplace: Workplace, seed: int) -> None:
        self._chance = random.Random(seed)
        self._work = workplace
        self.world = world_of_chance(self._chance)
        self._robber = Robber({})
        self.sandbox = Sandbox(self.world, middleware=self._robber.wrap)
        self._snapshots: dict[int, dict] = {}

    def happen(self, what: str) -> None:
        if what == BACKUP:
            self.back_up()
        elif what == RESTORE:
            self.go_back()
        elif what == CUT:
            self.cut()
            if self._chance.random() < 0.7:
                self.go_back()
        else:
            EDITS[what](self._chance, self.world)

    def back_up(self) -> None:
        """Keep what is there now, unless so much is gone that nobody would believe it."""
        ended = self._work.run("backup", "--json")
        # A file that is referred to and not there is told once.
        assert ended.code in (0, 3, GUARDED), ended
        if ended.code != GUARDED:
            found = ended.json["snapshots"][1]
            assert found["status"] == "complete", ended
            self._snapshots[found["id"]] = everything(self.world)

    def _choose(self) -> int:
        return self._chance.choice(list(self._snapshots))

    def cut(self) -> None:
        chance = self._chance
        calls = {chance.randrange(1, 12) for _ in range(chance.randrange(1, 4))}
        self._robber.rob({call: chance.choice(list(TROUBLES)) for call in calls})
        ended = self._restore(self._choose())
        self._robber.rob({})
        assert ended.code in (0, 3), ended

    def go_back(self) -> None:
        snapshot_id = self._choose()
        ended = self._restore(snapshot_id)
        assert ended.code == 0, ended
        assert ended.json["verified"] is True
        assert everything(self.world) == self._snapshots[snapshot_id]
        assert broken_lives(self._work.sql, snapshot_id) == []
        assert self._work.sql("select * from restore_step where status = 'begun'") == []
        self.sandbox.calls.clear()
        again = self._restore(snapshot_id)
        assert (again.code, again.json["done"]) == (0, 0), again
        assert writes(self.sandbox) == []

    def _restore(self, snapshot_id: int) -> Outcome:
        """Go back, and agree to as many deletions as that takes."""
        args = ["restore", "--yes", "--json", "--snapshot", str(snapshot_id), *ALL]
        told = self._work.run(*args, "--delete-extra")
        if told.code != GUARDED:
            return told
        agreed = re.findall(r"--accept-deletions (\w+=\d+)", str(told.json["held"]))
        accept = [part for each in agreed for part in ("--accept-deletions", each)]
        return self._work.run(*args, "--delete-extra", *accept)


happenings = st.lists(
    st.sampled_from([*EDITS, *EDITS, BACKUP, BACKUP, BACKUP, RESTORE, RESTORE, CUT, CUT]),
    min_size=4,
    max_size=10,
)


@settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32), happenings=happenings)
def test_any_snapshot_can_be_gone_back_to(
    workplace: Workplace, database: str, seed: int, happenings: list[str]
):
    here = replace(workplace, folder=workplace.folder / uuid4().hex)
    here.folder.mkdir()
    if database.startswith("postgresql"):
        empty_database(database)
        here.database = database
    story = Story(here, seed)
    with story.sandbox:
        here.settle(story.sandbox)
        for each in (BACKUP, *happenings, RESTORE):
            story.happen(each)
    assert here.run("check").code == 0
