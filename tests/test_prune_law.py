"""The law of prunes: whatever is forgotten, what is kept comes back as before, object and byte.

Worlds, edits, losses and policies of chance. And killed at any commit, or as any file is removed,
a prune leaves a mirror that holds, and the next one comes to the same end.
"""

import json
import os
import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from places import Driver, Place, Places, side_by_side, succeeds
from workplace import Workplace
from worlds import EDITS, world_of_chance

from sync.files import FileStore
from sync.kinds import KINDS
from sync.mirror.mirror import Mirror
from sync.mirror.values import Status
from sync.sandbox import Sandbox, World
from sync.selection import owner_of, restorable
from sync.snapshot import GUARDED
from sync.wanted import read_wanted

EXAMPLES = max(3, settings.default.max_examples // 16)
DAY_S = 86_400
RULES = ("last", "hourly", "daily", "weekly", "monthly", "yearly")


@contextmanager
def opened(folder: Path, database: str) -> Iterator[Mirror]:
    mirror = Mirror(database.replace("///mirror", f"///{folder}/mirror"), KINDS)
    try:
        yield mirror
    finally:
        mirror.close()


def everything_kept(folder: Path, database: str) -> dict[int, Any]:
    """{snapshot: all that it holds, and what a restore would go by, with the bytes of its files}.

    Only of what is not forgotten.
    """
    store = FileStore(folder / "files")
    found: dict[int, Any] = {}
    with opened(folder, database) as mirror:
        for each in mirror.snapshots():
            if each.status is Status.FORGOTTEN:
                continue
            state: dict[Any, Any] = {
                name: dict(mirror.past.state(each.source, kind, each.id))
                for name, kind in KINDS.items()
            }
            if each.source.scope == "memori":
                kinds, owner = restorable(KINDS), owner_of(mirror)
                wanted = read_wanted(mirror, kinds, owner, each, each.source)
                state["wanted"] = wanted
                hashes = (document["sha256"] for document in wanted.files.values())
                state["bytes"] = {name: store.path(name).read_bytes() for name in hashes}
            found[each.id] = state
    return found


def make_old(folder: Path, chance: random.Random) -> None:
    """Files of all ages, around the one from which on they may go."""
    for path in (folder / "files" / "sha256").rglob("*"):
        if path.is_file():
            at = path.stat().st_mtime - DAY_S * chance.choice([0.5, 2, 2])
            os.utime(path, (at, at))


def spread(mirror: Mirror, chance: random.Random) -> None:
    """Let hours and weeks lie between the runs, the last of which was just now."""
    snapshot = mirror.tables.snapshot
    with mirror.engine.connect() as connection, connection.begin():
        rows = connection.execute(
            sa.select(snapshot.c.run_id, sa.func.max(snapshot.c.started_at))
            .group_by(snapshot.c.run_id)
            .order_by(snapshot.c.run_id)
        ).all()
        at = max(each[1] for each in rows)
        for run_id, _ in reversed(rows):
            connection.execute(
                sa.update(snapshot).where(snapshot.c.run_id == run_id).values(started_at=at)
            )
            at -= timedelta(hours=chance.choice([1, 5, 24, 24, 170, 800]))


class Story:
    """What happens to an agent and to its mirror, by chance."""

    def __init__(self, workplace: Workplace, seed: int) -> None:
        self.chance = random.Random(seed)
        self.work = workplace
        self.world = world_of_chance(self.chance)
        self.sandbox = Sandbox(self.world)

    def happen(self, what: str) -> None:
        if what == "backup":
            assert self.work.run("backup").code in (0, 3, GUARDED)
        elif what == "limited backup":
            kind = self.chance.choice(["person", "memory"])
            assert self.work.run("backup", "--kind", kind).code in (0, 3, GUARDED)
        elif what == "restore":
            # Not all comes back, or so much is gone that it waits for a word: all the same here.
            assert self.work.run("restore", "--yes").code in (0, 3, GUARDED)
        elif what == "prune":
            self.prune()
        else:
            EDITS[what](self.chance, self.world)

    def prune(self) -> None:
        place = (self.work.folder, self.work.database)
        with opened(*place) as mirror:
            spread(mirror, self.chance)
        make_old(self.work.folder, self.chance)
        before = everything_kept(*place)
        status = self.status()
        number = self.chance.choice([1, 1, 2, 3])
        policy = [f"--keep-{self.chance.choice(RULES)}", str(number)]
        if self.chance.random() < 0.3:
            policy += ["--keep-within", self.chance.choice(["5h", "30d"])]
        told = self.work.run("prune", *policy, "--dry-run", "--json")
        done = self.work.run("prune", *policy, "--json")
        assert done.code == 0, done
        assert done.json == {**told.json, "dry_run": False}
        after = everything_kept(*place)
        kept = {each for run in done.json["kept"] for each in run["snapshots"]}
        assert after.keys() == kept
        assert after == {each: before[each] for each in after}
        assert self.status() == status
        checked = self.work.run("check", "--read-data")
        assert checked.code == 0, checked
        again = self.work.run("prune", *policy, "--json").json
        assert again["kept"] == done.json["kept"]
        assert (again["forgotten"], again["changes"], again["files"]) == ([], 0, 0)

    def status(self) -> Any:
        """How things stand, without what time does to them."""
        found = self.work.run("status", "--json").json
        return [
            (each["source"], each["complete_at"], [*each["kinds"]], each["last_snapshot"])
            for each in found["sources"]
        ]


happenings = st.lists(
    st.sampled_from([*EDITS, *EDITS, "limited backup", "restore", "prune", "prune"]),
    min_size=5,
    max_size=10,
)


@settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32), happenings=happenings)
def test_what_is_kept_comes_back_as_before(workplace: Workplace, seed: int, happenings: list[str]):
    tell(replace(workplace, folder=workplace.folder / uuid4().hex, spoken=[]), seed, happenings)


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_what_is_kept_comes_back_as_before_on_postgresql(workplace: Workplace, database: str):
    edits = ["change_things", "lose_files", "new_file", "change_media", "lose_people"]
    tell(replace(workplace, folder=workplace.folder / "here", database=database), 7, edits)


def tell(here: Workplace, seed: int, happenings: list[str]) -> None:
    """Let things happen, with a backup after every other."""
    here.folder.mkdir()
    story = Story(here, seed)
    with story.sandbox:
        here.settle(story.sandbox)
        story.happen("backup")
        for number, each in enumerate(happenings):
            story.happen(each)
            if number % 2:
                story.happen("backup")
        story.happen("backup")
        story.happen("prune")


# -- killed


def make_history(places: Places, driver: Driver, world: World, sandbox: Sandbox) -> Place:
    """A mirror of which much may go: versions, objects, and files that only the past had."""
    base = places.make()
    agent = world.agent("Guide")
    ((name, asset),) = world.assets.items()
    for number in range(4):
        succeeds(driver(base.command("backup")), 0)
        with sandbox.lock:
            agent.people["p-anna-1"]["name"] = f"Anna {number}"
            agent.memories["m-tale-1"]["title"] = f"The bell {number}"
            new = f"{number + 1}{name[1:]}"
            world.assets.pop(name)
            url = asset.document["assetURL"].replace(name, new)
            document = {**asset.document, "assetID": new[:-4], "assetURL": url}
            asset = replace(asset, document=document, content=b"picture %d" % number)
            world.assets[new] = asset
            for medium in agent.memories["m-hours-1"]["media"]:
                medium["url"] = url
            name = new
    for path in (base.folder / "files" / "sha256").rglob("*"):
        if path.is_file():
            os.utime(path, (0, 0))
    return base


def what_is_left(place: Place) -> dict[str, Any]:
    return {
        **place.what_is_kept(),
        "snapshots": place.sql("select id, status from snapshot order by id"),
        "changes": place.sql("select id, snapshot_id, superseded_in from change order by id"),
    }


PRUNE = ("prune", "--keep-last", "1", "--json")


def check_what_comes_after(place: Place, driver: Driver, wanted: dict[str, Any]) -> None:
    outcome = driver(
        place.command("check", "--read-data"),
        place.command(*PRUNE),
        place.command("check", "--read-data"),
    )
    succeeds(outcome, 0, 0, 0)
    assert what_is_left(place) == wanted


def test_killed_or_stopped_at_any_commit_or_removal_a_prune_is_gone_on_with(
    places: Places, drivers: "SimpleQueue[Driver]", world: World, sandbox: Sandbox
):
    driver = drivers.get()
    base = make_history(places, driver, world, sandbox)
    base.engine.dispose()
    undisturbed = places.make(base)
    whole = driver(undisturbed.command(*PRUNE), unlinks=True)
    succeeds(whole, 0)
    told = json.loads(whole["done"][0][1])
    assert (len(told["forgotten"]), told["files"]) == (3, 3)
    wanted = what_is_left(undisturbed)
    drivers.put(driver)
    top = whole["commits"]
    assert top >= 3 + told["files"]
    # Each commit and removal, and after the last; on PostgreSQL, slower to copy, every third.
    deaths = [(each, False) for each in range(1, top + 1, 1 if places.step == 1 else 3)]
    deaths.append((top, True))
    # A stop comes between two steps; the last of them ends it before anything is told.
    stops = range(2, top, 3) if places.step == 1 else ()
    ends = [(*each, signal.SIGKILL) for each in deaths]
    ends += [(each, True, signal.SIGINT) for each in stops]

    def end(driver: Driver, which: int) -> None:
        place = places.make(base)
        commit, after, number = ends[which - 1]
        how = {"commit": commit, "after": after, "number": number}
        outcome = driver(place.command(*PRUNE), unlinks=True, **how)
        if number == signal.SIGINT:
            ((code, out, _),) = outcome["done"]
            assert (code, json.loads(out)["exit_code"]) == (130, 130)
        else:
            assert outcome["ended"] == -signal.SIGKILL, outcome
        check_what_comes_after(place, driver, wanted)
        place.engine.dispose()

    side_by_side(drivers, end, len(ends))
