"""Thousands of small files in one run, by the command as a process of its own.

A merge fetches 200, since ten thousand take minutes on a busy machine. All of them, by hand:

    pytest -n 0 tests/test_many_files.py --hypothesis-profile=by_hand
"""

import hashlib
import importlib
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
MOST_MIB = 150


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The server of the benchmarks, which has files and nothing else, and their measuring."""
    monkeypatch.syspath_prepend(HERE / "benchmarks")
    return tuple(map(importlib.import_module, ("contestants", "measure", "remote")))


def test_thousands_of_small_files_are_stored_whole_and_take_no_memory(
    benchmarks, tmp_path, request
):
    contestants, measure, remote = benchmarks
    is_by_hand = request.config.getoption("--hypothesis-profile") == "by_hand"
    number = 10_000 if is_by_hand else 200
    config = contestants.settings_of("URL", tmp_path, "concurrency = 8")
    command = [sys.executable, "-m", "sync", "backup", "--config", str(config)]
    with remote.running("file_server.py", "--files", str(number), "--size-kib", "4") as url:
        config.write_text(config.read_text().replace("URL", url))
        took = measure.measure(command, tmp_path, contestants.environment(HERE.parent))

    stored = [each for each in (tmp_path / "files" / "sha256").rglob("*") if each.is_file()]
    assert len(stored) == number
    for each in stored:
        name = each.parent.name + each.name
        assert hashlib.sha256(each.read_bytes()).hexdigest() == name
    with sqlite3.connect(tmp_path / "mirror.db") as mirror:
        told = mirror.execute("select count(*) from file where status = 'stored'").fetchone()
    mirror.close()
    assert told == (number,)
    assert took.peak_mib < MOST_MIB
