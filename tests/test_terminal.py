"""What a person at a terminal sees: progress while it lasts, then a table; no log lines."""

import contextlib
import os
import pty
import re
import subprocess
from pathlib import Path

from test_commands import PROGRAM
from workplace import Workplace

from sync.sandbox import Sandbox, World


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
    assert "kind.listed" in at_a_terminal(work, "backup", "-v")
    assert Path(PROGRAM).is_file()


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


def test_whoever_closes_its_output_hears_nothing_and_it_ends_as_ever():
    for command, code in (("kinds", 0), ("kinds ghost", 2)):
        ended = subprocess.run(["sh", "-c", f"'{PROGRAM}' {command} >&- 2>&-"], check=False)
        assert ended.returncode == code
