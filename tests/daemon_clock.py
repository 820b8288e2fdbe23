"""The service with a clock that a test sets: a driver for test_daemon.py.

    daemon_clock.py START SILENCE_S ARGUMENTS...

Runs a command as if it were START. Each line of stdin sets the clock: seconds to go on or back.
SILENCE_S is how long a job may tell nothing before it counts as stuck; "-" leaves it as it is.
"""

import sys
import threading

import time_machine

import sync.daemon
from sync.cli import main


def follow(traveller: time_machine.Traveller) -> None:
    for line in sys.stdin:
        traveller.shift(float(line))


sync.daemon._TICK_S = 0.05
if sys.argv[2] != "-":
    sync.daemon._allowed_silence_s = lambda _: float(sys.argv[2])
with time_machine.travel(sys.argv[1], tick=True) as traveller:
    threading.Thread(target=follow, args=[traveller], daemon=True).start()
    main(sys.argv[3:])
