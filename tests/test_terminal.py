"""What a person at a terminal sees: progress while it lasts, then a table; no log lines."""

import contextlib
import os
import pty
import re
import subprocess
from pathlib import Path

from test_commands import PROGRAM
from workplace import Workplace


def at_a_terminal(work: Workplace, *args: str) -> str:
    """Run a command with both outputs on a terminal of 80 columns; returns all it showed."""
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "80"}
    process = subprocess.Popen(
        [PROGRAM, *args, "--config", str(work.config)], stdout=theirs, stderr=theirs, env=environ
    )
    os.close(theirs)
    shown = b""
    # A terminal that its last user has left gives an error, or nothing, to whoever reads on.
    with contextlib.suppress(OSError):
        while data := os.read(ours, 65536):
            shown += data
    os.close(ours)
    assert process.wait() == 0, shown
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
