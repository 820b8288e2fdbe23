"""A signal is heard at once, whatever the main thread does just then."""

import os
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from workplace import Workplace

from sync.sandbox import Fault, FaultSet, Sandbox, World

TOP = Path(__file__).parents[1]
MISSED = """
import signal, sys, threading
from sync.cli import main
# The kernel hands the signal to the other thread, so that it ends no wait of the main thread: as
# one does that strikes just before such a wait begins.
threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
main(sys.argv[1:])
"""
LOADING = """
import sys, time
print("loading", flush=True)
time.sleep(60)
"""
SWALLOWED = """
import signal, sys, time
from sync import check, job
from sync.cli import main
class Struck:
    def __del__(self):
        signal.raise_signal(signal.SIGTERM)
def work(app, _, watch, *more):
    Struck()
    for number in range(200):
        time.sleep(PAUSE_S)
        WATCHED and watch("memory", "checked", number, None)
job._carry_out = check.check = work
main(sys.argv[1:])
"""
STRUCK = """
import random, signal, time
from sync.errors import Interrupted
from sync.stop import Stop
def ask(number, _):
    try:
        stop.ask(number)
    except Interrupted:
        pass
signal.signal(signal.SIGALRM, ask)
end = time.monotonic() + 2
while time.monotonic() < end:
    stop = Stop()
    signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, 3e-5))
    stop.event.wait(1e-5)
    while not stop.event.is_set():
        pass
"""


def test_a_signal_that_ended_no_wait_is_handled_soon_after(
    workplace: Workplace, serve: Callable[..., Sandbox], world: World
):
    busy = Fault(path="/memori/v2/people/*", status=503, headers={"Retry-After": "50"})
    with serve(world, faults=FaultSet([busy])) as sandbox:
        workplace.settle(sandbox, retry_s=60)
        process = subprocess.Popen(
            [sys.executable, "-c", MISSED, "backup", "--config", str(workplace.config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr
        while "call.repeated" not in process.stderr.readline():
            pass
        # It tells of the pause, and then begins it.
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        process.communicate(timeout=100)
    assert process.returncode == 143
    assert time.monotonic() - began < 20


def struck(work: Workplace, command: str, kind_of_work: str) -> subprocess.CompletedProcess[str]:
    """Have a signal strike a destructor while a command is at work."""
    program = f"WATCHED, PAUSE_S = {kind_of_work}" + SWALLOWED
    return subprocess.run(
        [sys.executable, "-c", program, command, "--config", str(work.config)],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize("kind_of_work", ["False, 0.02", "True, 0.02", "True, 0.08"])
def test_a_signal_that_strikes_where_nothing_can_be_raised_ends_a_job_soon_after(
    workplace: Workplace, sandbox: Sandbox, kind_of_work: str
):
    nightly = '[service]\nlisten = ""\n[[schedule]]\ncron = "0 3 * * *"\n'
    workplace.settle(sandbox, nightly)
    ended = struck(workplace, "daemon", kind_of_work)
    assert ended.returncode == 0
    assert "Traceback" not in ended.stderr
    assert "job.finished" not in ended.stderr
    assert workplace.sql("select exit_code, error from job") == [(143, "stopped by SIGTERM")]


def test_a_signal_that_strikes_where_nothing_can_be_raised_ends_a_command_soon_after(
    work: Workplace,
):
    work.first_backup()
    ended = struck(work, "check", "False, 0.02")
    assert ended.returncode == 143
    assert "Traceback" not in ended.stderr
    assert "stopped by SIGTERM" in ended.stderr


def test_a_signal_may_strike_within_the_wait_for_it():
    subprocess.run([sys.executable, "-c", STRUCK], check=True, timeout=60)


def script() -> list[str]:
    """The program as an installer makes it of the project's entry point."""
    scripts = tomllib.loads((TOP / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    module, _, function = scripts["aisuru-sync"].partition(":")
    return ["-c", f"import sys; from {module} import {function}; sys.exit({function}())"]


@pytest.mark.parametrize("program", [["-m", "sync"], script()], ids=["module", "script"])
@pytest.mark.parametrize("library", ["click", "sqlalchemy"])
def test_ctrl_c_while_the_program_is_loaded_ends_it_without_a_word(
    tmp_path: Path, program: list[str], library: str
):
    (tmp_path / f"{library}.py").write_text(LOADING)
    path = os.pathsep.join([str(tmp_path), str(TOP)])
    process = subprocess.Popen(
        [sys.executable, *program, "status"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "loading\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
