"""An installed wheel works from any folder, with all that it ships."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout and unpacked as an installer would."""
    folder = tmp_path_factory.mktemp("wheel")
    code = f"from hatchling.build import build_wheel; print(build_wheel({str(folder)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=TOP, capture_output=True, text=True, check=True
    )
    place = folder / "unpacked"
    with zipfile.ZipFile(folder / done.stdout.split()[-1]) as archive:
        archive.extractall(place)
    return place


def run(wheel: Path, folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "PYTHONPATH": str(wheel), "STATE_DIRECTORY": str(folder)}
    return subprocess.run(
        [sys.executable, "-P", "-m", "sync", *args],
        cwd="/",
        env={**environ, "AISURU_SYNC_ACCOUNT__USER": "owner"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_wheel_migrates_from_any_folder(wheel: Path, tmp_path: Path):
    assert (wheel / "sync" / "migrations" / "env.py").is_file()
    code = "import sync; print(sync.__file__)"
    where = subprocess.run(
        [sys.executable, "-P", "-c", code],
        env={**os.environ, "PYTHONPATH": str(wheel)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert where.startswith(str(wheel))

    done = run(wheel, tmp_path, "migrate")

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mirror.db").is_file()


def test_a_wheel_brings_the_sample_configuration(wheel: Path, tmp_path: Path):
    done = run(wheel, tmp_path, "config", "init", str(tmp_path / "c.toml"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "c.toml").read_text() == (TOP / "config" / "aisuru-sync.toml").read_text()


def test_a_wheel_brings_the_demo(wheel: Path, tmp_path: Path):
    done = run(wheel, tmp_path, "demo", "--json")
    assert done.returncode == 0, done.stderr


def test_a_wheel_holds_the_package_and_nothing_else(wheel: Path):
    assert {each.name for each in wheel.iterdir()} == {
        "sync",
        next(wheel.glob("*.dist-info")).name,
    }
    assert not list(wheel.rglob("test_*"))
