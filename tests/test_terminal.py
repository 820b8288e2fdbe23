"""What a person at a terminal sees: progress while it lasts, then a table; no log lines."""

import contextlib
import os
import pty
import re
import subprocess

import pytest
from test_commands import PROGRAM
from workplace import Workplace, add_people

from sync.sandbox import Sandbox, World

VISITOR = "4f0c2a4e-8f5b-4c53-9d57-7a1f0a8d2b11"


def at_a_terminal(work: Workplace, *args: str, types: str = "", code: int = 0) -> str:
    """Run a command on a terminal of 80 columns; returns all that it showed."""
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"}
    process = subprocess.Popen(
        [PROGRAM, *args, "--config", str(work.config)],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environ,
    )
    os.close(theirs)
    os.write(ours, types.encode())
    shown = b""
    # A terminal that its last user has left gives an error, or nothing, to whoever reads on.
    with contextlib.suppress(OSError):
        while data := os.read(ours, 65536):
            shown += data
    os.close(ours)
    assert process.wait() == code, shown
    return shown.decode()


def test_a_terminal_shows_progress_and_no_log_lines(work: Workplace):
    shown = at_a_terminal(work, "backup")
    assert re.search(r"Guide: localization_key.*14/14", shown)
    assert "kind.listed" not in shown
    table = shown[shown.rindex("source") :]
    assert "Guide" in table
    assert "complete" in table


def test_a_pipe_gets_log_lines_and_no_progress(work: Workplace):
    outcome = work.run("backup")
    assert "━" not in outcome.err
    assert "event=kind.listed" in outcome.err


def test_a_terminal_may_ask_for_log_lines(work: Workplace):
    shown = re.sub(r"\x1b\[[0-9;]*m", "", at_a_terminal(work, "backup", "-v"))
    # Whose it is comes before what it came to.
    assert "kind.listed source=Guide kind=person status=complete" in " ".join(shown.split())


def test_a_restore_asks_before_it_sends_anything(work: Workplace, sandbox: Sandbox, world: World):
    work.backup()
    people = world.agent("Guide").people
    del people["p-anna-1"]

    refused = at_a_terminal(work, "restore", types="n\n", code=130)

    assert "Do this? [y/N]" in refused
    assert "nothing was sent" in refused
    assert len(people) == 1
    agreed = at_a_terminal(work, "restore", types="y\n")
    assert re.search(r"create +person +Anna", agreed)
    assert "verified" in agreed
    assert len(people) == 2


def numberless(shown: str) -> str:
    """What was shown, as every run shows it."""
    return re.sub(r"snapshot \d+", "snapshot N", shown).replace("\r", "")


@pytest.mark.parametrize(
    ("line", "code", "indent", "part"),
    [
        ("backup", 6, 4, "of Guide, person: 30 of 33 are not there"),
        ("snapshots", 0, 4, "of Guide, person: 30 of 33 are not there"),
        ("status", 0, 4, "Guide: localization_key, custom_word"),
        ("restore --dry-run", 0, 6, f"  person {VISITOR}"),
    ],
)
def test_a_reason_that_is_wider_than_the_terminal_goes_on_with_an_indent(
    work: Workplace, world: World, line: str, code: int, indent: int, part: str
):
    guide = world.agent("Guide")
    add_people(guide, 30)
    visitor = {"personID": VISITOR, "personType": "Receiver", "name": "A visitor from far away"}
    guide.people[VISITOR] = {**visitor, "pin": "000000", "tag": "far"}
    work.first_backup()
    guide.people[VISITOR]["information"] = "which no call can make empty again"
    for each in range(30):
        del guide.people[f"p-new-{each}"]
    if line != "backup":
        work.backup(code=6)
    if line == "status":
        work.backup("--kind", "memory")
    in_pipe = numberless(work.run(*line.split()).out).splitlines()
    shown = numberless(at_a_terminal(work, *line.split(), code=code)).splitlines()
    (whole,) = [each for each in in_pipe if part in each]
    assert len(whole) > 80
    begin = next(n for n, each in enumerate(shown) if part[:30] in each)
    end = begin + 1
    while shown[end : end + 1] and shown[end].startswith(" " * indent) and end < begin + 9:
        end += 1
    assert end > begin + 1
    assert " ".join(each.strip() for each in shown[begin:end]) == whole.strip()
    assert max(map(len, shown[begin:end])) <= 80


def test_whoever_closes_its_output_hears_nothing_and_it_ends_as_ever():
    for command, code in (("kinds", 0), ("kinds ghost", 2)):
        ended = subprocess.run(["sh", "-c", f"'{PROGRAM}' {command} >&- 2>&-"], check=False)
        assert ended.returncode == code
