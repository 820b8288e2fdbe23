"""Killed at any instruction, a backup leaves a mirror that holds, and the next run goes on.

A commit is what makes a difference to a database, so processes are killed just before one in three
(on PostgreSQL, one in 12) of their commits that write, and just after the last: just after one of
them, the database is as it is just before the next. Then they are killed and asked to stop at times
of chance.
"""

import json
import random
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from typing import Any

import pytest
import sqlalchemy as sa
from places import Driver, Place, Places, side_by_side, succeeds
from workplace import Workplace

from sync.sandbox import Asset, Sandbox, World

SEED = 20261124
"""Of the times of chance: another one tries others."""
PICTURE = b"\x89PNG\r\n\x1a\n a picture"


def change(world: World) -> None:
    """What a second backup finds: something new, something changed, something gone, a new file."""
    agent = world.agent("Guide")
    agent.memories["m-tale-1"]["title"] = "The cracked bell"
    agent.memories["m-new"] = {
        **agent.memories["m-tale-1"],
        "memoryID": "m-new",
        "media": [{**agent.memories["m-hours-1"]["media"][0], "mediumID": "x-new"}],
    }
    agent.memories["m-new"]["media"][0]["url"] = add_picture(world, "new")
    del agent.memories["m-hours-1"]
    agent.people["p-new"] = {**agent.people["p-anna-1"], "personID": "p-new", "tag": "🐝"}
    del agent.people["p-anna-1"]
    agent.memories["m-tale-1"]["receiverID"] = agent.memories["m-new"]["receiverID"] = "p-new"
    agent.localization_keys["GOODBYE"]["value"] = "Arrivederci"


def add_picture(world: World, name: str) -> str:
    file_name = f"{len(world.assets):08}-aaaa-4bbb-8ccc-0000000000ff.png"
    url = f"https://assets.memori.ai/api/v2/asset/{file_name}"
    document = {"assetID": file_name[:-4], "assetURL": url, "mimeType": "image/png"}
    world.assets[file_name] = Asset(document, PICTURE + name.encode())
    return url


SOME = [part for kind in ("memori", "asset", "person", "memory") for part in ("--kind", kind)]
"""Kinds that have something in each run: what nobody has is committed just as a badge is."""


def check_what_comes_after(
    place: Place, driver: Driver, wanted: dict[str, Any], kinds: list[str]
) -> None:
    """What holds right after a death, and after the next run."""
    is_made = "alembic_version" in sa.inspect(place.engine).get_table_names()
    reading = (0, 0) if is_made else (10, 10)
    outcome = driver(
        place.command("snapshots"),
        place.command("check"),
        place.command("backup", "--json", *kinds),
        place.command("check"),
    )
    succeeds(outcome, *reading, 0, 0)
    result = json.loads(outcome["done"][2][1])
    assert {each["status"] for each in result["snapshots"]} == {"complete"}
    assert ("running",) not in place.sql("select status from snapshot")
    assert place.what_is_kept() == wanted


@pytest.mark.parametrize("state", ["a first run", "a run with changes"])
def test_killed_at_any_commit_a_backup_goes_on_as_if_nothing_had_been(
    places: Places, drivers: "SimpleQueue[Driver]", world: World, sandbox: Sandbox, state: str
):
    driver = drivers.get()
    base, step = None, 2 * max(3, places.step)
    is_whole = state == "a run with changes" and places.step == 1
    kinds = [] if is_whole else SOME
    if state == "a run with changes":
        step = max(3, places.step)
        base = places.make()
        succeeds(driver(base.command("backup")), 0)
        base.engine.dispose()
        with sandbox.lock:
            change(world)
    undisturbed = places.make(base)
    whole = driver(undisturbed.command("backup", *kinds))
    succeeds(whole, 0)
    wanted = undisturbed.what_is_kept()
    drivers.put(driver)

    def die(driver: Driver, at: int) -> None:
        place, number = places.make(base), at * step
        is_last = number > whole["commits"]
        how = {"commit": whole["commits"], "after": True} if is_last else {"commit": number}
        outcome = driver(place.command("backup", *kinds), **how)
        assert outcome["ended"] == -signal.SIGKILL, outcome
        check_what_comes_after(place, driver, wanted, kinds)
        place.engine.dispose()

    assert whole["commits"] > 10
    side_by_side(drivers, die, whole["commits"] // step + 1)


class Started:
    """A backup as a process of its own that has just begun to talk to the remote."""

    def __init__(self, place: Place) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "sync", *place.command("backup", "-v", "--json")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr
        assert "/api/v2/Login" in self._process.stderr.readline()
        self.began_at = time.monotonic()

    def end(self, number: int, delay_s: float) -> tuple[int, str, str]:
        """Send a signal after a while, if it is still there."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(delay_s)
        self._process.send_signal(number)
        out, err = self._process.communicate(timeout=30)
        return self._process.returncode, out, err

    def live(self) -> float:
        """Let it come to its end; returns how long that took."""
        _, err = self._process.communicate(timeout=60)
        assert self._process.returncode == 0, err
        return time.monotonic() - self.began_at


SIGNALS = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}


def test_killed_or_stopped_at_any_time_a_backup_goes_on_as_if_nothing_had_been(
    places: Places, drivers: "SimpleQueue[Driver]", world: World, sandbox: Sandbox
):
    chance = random.Random(SEED)
    base = places.make()
    driver = drivers.get()
    succeeds(driver(base.command("backup")), 0)
    drivers.put(driver)
    base.engine.dispose()
    with sandbox.lock:
        change(world)
    undisturbed = places.make(base)
    whole_s = Started(undisturbed).live()
    wanted = undisturbed.what_is_kept()
    numbers = [signal.SIGKILL] * (2 if places.step == 1 else 1) + [signal.SIGTERM, signal.SIGINT]
    delays = [chance.uniform(0, whole_s) for _ in numbers]
    ends = []

    def strike(driver: Driver, at: int) -> None:
        number, place = numbers[at - 1], places.make(base)
        code, out, err = Started(place).end(number, delays[at - 1])
        ends.append(code)
        # A process that a signal meets when all is done may end of it; a shell sees the same.
        assert code in (0, SIGNALS[number], -number), f"seed {SEED}, {delays[at - 1]} s: {err}"
        if code == SIGNALS[number] and number != signal.SIGKILL:
            assert json.loads(out)["exit_code"] == code
        check_what_comes_after(place, driver, wanted, [])
        place.engine.dispose()

    side_by_side(drivers, strike, len(numbers))
    assert any(ends)


def test_a_stop_at_any_commit_leaves_nothing_running_and_is_all_that_is_told(
    workplace: Workplace, sandbox: Sandbox, drivers: "SimpleQueue[Driver]"
):
    """At a sixth of the commits, those of temporary tables among them."""
    with ExitStack() as stack:
        stop_at_commits(Places(workplace, sandbox, None, stack), drivers)


def stop_at_commits(places: Places, drivers: "SimpleQueue[Driver]") -> None:
    driver = drivers.get()
    whole = driver(places.make().command("backup"), every=True)
    succeeds(whole, 0)
    drivers.put(driver)
    wrong = []

    def stop(driver: Driver, sixth: int) -> None:
        place, number = places.make(), 6 * sixth - 5
        outcome = driver(
            place.command("backup"), commit=number, after=True, number=signal.SIGTERM, every=True
        )
        ((code, _, err),) = outcome["done"]
        is_made = "snapshot" in sa.inspect(place.engine).get_table_names()
        ends = place.sql("select status from snapshot") if is_made else []
        left = set(ends) - {("complete",), ("interrupted",)}
        if code != 143 or left or "error: stopped by SIGTERM" not in err or "Traceback" in err:
            wrong.append((number, code, left, err.splitlines()[-2:]))
        place.engine.dispose()

    side_by_side(drivers, stop, (whole["commits"] + 5) // 6)
    assert not wrong
