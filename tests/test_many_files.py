"""Thousands of small files in one run, by the command as a process of its own.

A merge fetches 200, since ten thousand take minutes on a busy machine. All of them, by hand:

    pytest -n 0 tests/test_many_files.py --hypothesis-profile=by_hand
"""

import hashlib
import importlib
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
MOST_KIB = 150 * 1024
SMALL = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
sys.exit(code)
"""
"""Runs a command and tells its peak in KiB: a child is born with the peak of its parent."""


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The server of the benchmarks, which has files and nothing else, and the settings for it."""
    monkeypatch.syspath_prepend(HERE / "benchmarks")
    return tuple(map(importlib.import_module, ("contestants", "remote")))


def test_thousands_of_small_files_are_stored_whole_and_take_no_memory(
    benchmarks, tmp_path, request
):
    contestants, remote = benchmarks
    is_by_hand = request.config.getoption("--hypothesis-profile") == "by_hand"
    number = 10_000 if is_by_hand else 200
    config = contestants.settings_of("URL", tmp_path, "concurrency = 8")
    backup = [sys.executable, "-m", "sync", "backup", "--config", str(config)]
    with remote.running("file_server.py", "--files", str(number), "--size-kib", "4") as url:
        config.write_text(config.read_text().replace("URL", url))
        command = [sys.executable, "-c", SMALL, *backup]
        known = contestants.environment(HERE.parent)
        outcome = subprocess.run(
            command, cwd=tmp_path, env=known, capture_output=True, text=True, check=False
        )
    assert outcome.returncode == 0, outcome
    peak_kib = int(outcome.stdout.splitlines()[-1])

    stored = [each for each in (tmp_path / "files" / "sha256").rglob("*") if each.is_file()]
    assert len(stored) == number
    for each in stored:
        name = each.parent.name + each.name
        assert hashlib.sha256(each.read_bytes()).hexdigest() == name
    with sqlite3.connect(tmp_path / "mirror.db") as mirror:
        told = mirror.execute("select count(*) from file where status = 'stored'").fetchone()
    mirror.close()
    assert told == (number,)
    assert peak_kib < MOST_KIB
