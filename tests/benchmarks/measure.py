"""What one process takes, from its start to its end."""

import os
import platform
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

_MIB = 1024


@dataclass(frozen=True)
class Figures:
    """What one process took.

    Attributes:
        wall_s: from start to end.
        cpu_s: user and system time, its children's too.
        peak_mib: largest resident memory.
    """

    wall_s: float
    cpu_s: float
    peak_mib: float
    exit_code: int


def measure(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    accepted: Sequence[int] = (0,),
    limit_s: float = 1800,
) -> Figures:
    """Run a program to its end.

    Args:
        command: to run.
        folder: where it works; its output goes to `log` there.
        environment: of it.
        accepted: the exit codes that are no failure.
        limit_s: after which it is killed.
    """
    log = folder / "log"
    with log.open("wb") as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            cwd=folder,
        )
        limit = threading.Timer(limit_s, process.kill)
        limit.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        limit.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in accepted:
        told = log.read_text(errors="replace")[-3000:]
        raise SystemExit(f"{command[0]} ended with {process.returncode}:\n{told}")
    cpu_s = usage.ru_utime + usage.ru_stime
    return Figures(wall_s, cpu_s, usage.ru_maxrss / _MIB, process.returncode)


def about(runs: int, concurrency: int) -> dict[str, object]:
    """When, where and how figures are measured."""
    return {
        "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "machine": f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}",
        "runs": runs,
        "concurrency": concurrency,
        "load_before": os.getloadavg()[0],
    }


def told(facts: Mapping[str, object]) -> str:
    """Facts in a line."""
    return ", ".join(f"{name}: {value}" for name, value in facts.items()) + "\n\n"
