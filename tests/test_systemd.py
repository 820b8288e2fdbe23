"""The unit files: nothing misspelt, and no more rights than the work needs."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[1] / "systemd"
PROGRAM = "/opt/aisuru-sync/bin/aisuru-sync"

pytestmark = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="there is no systemd-analyze"
)


def test_systemd_finds_nothing_to_say_about_the_units(tmp_path: Path):
    for unit in UNITS.iterdir():
        # The program is not installed there, which is all that it would say.
        (tmp_path / unit.name).write_text(unit.read_text().replace(PROGRAM, "/bin/true"))
    units = sorted(each for each in tmp_path.iterdir() if each.suffix in (".service", ".timer"))
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *units],
        capture_output=True,
        text=True,
        check=False,
    )
    # It ends with 0 even if a key is misspelt.
    assert (told.returncode, told.stderr) == (0, "")


@pytest.mark.parametrize(
    ("unit", "most"),
    [
        ("aisuru-sync", 1.1),
        ("aisuru-sync-backup", 1.1),
        ("aisuru-sync-check", 0.3),
        ("aisuru-sync-prune", 0.3),
    ],
)
def test_little_is_exposed(unit: str, most: float):
    told = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", UNITS / f"{unit}.service"],
        capture_output=True,
        text=True,
        check=False,
    )
    (level,) = re.findall(r"Overall exposure level for .*: ([0-9.]+)", told.stdout)
    assert float(level) <= most


@pytest.mark.parametrize("unit", ["aisuru-sync-check", "aisuru-sync-prune"])
def test_what_asks_no_remote_has_no_network(unit: str):
    assert "PrivateNetwork=yes" in (UNITS / f"{unit}.service").read_text()


def test_a_prune_waits_for_a_backup_of_the_timers():
    assert "After=aisuru-sync-backup.service" in (UNITS / "aisuru-sync-prune.service").read_text()
