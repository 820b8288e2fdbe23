"""A signal is heard at once, whatever the main thread does just then."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable

from workplace import Workplace

from sync.sandbox import Fault, FaultSet, Sandbox, World

MISSED = """
import signal, sys, threading
from sync.cli import main
# The kernel hands the signal to the other thread, so that it ends no wait of the main thread: as
# one does that strikes just before such a wait begins.
threading.Thread(target=threading.Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
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


def test_a_signal_may_strike_within_the_wait_for_it():
    subprocess.run([sys.executable, "-c", STRUCK], check=True, timeout=60)
