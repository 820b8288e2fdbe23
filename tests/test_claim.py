"""A folder of files belongs to one mirror, since no other one knows what is needed in it."""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from workplace import Workplace, add_people, fill, restore
from worlds import PNG

from sync.sandbox import Sandbox, World

PRUNE = ("prune", "--keep-last", "1")


@pytest.fixture
def other(
    workplace: Workplace, serve: Callable[..., Sandbox], sandbox: Sandbox
) -> Iterator[Workplace]:
    """The mirror of another account, with a database of its own and the same folder of files."""
    world = World.empty()
    world.account.user_id = "another-user"
    fill(world, world.add_agent("Museum"))
    for name, asset in list(world.assets.items()):
        world.assets[name] = replace(asset, content=PNG + b"of the museum")
    with serve(world) as theirs:
        yield Turn(workplace, theirs, "sqlite:///mirror-of-another.db")


class Turn(Workplace):
    """A workplace beside another one in its folder, whose settings it makes its own."""

    def __init__(self, beside: Workplace, sandbox: Sandbox, database: str) -> None:
        super().__init__(beside.folder, beside.capsys, database, beside.first_backups)
        self.sandbox = sandbox

    @property
    def config(self) -> Path:
        return self.folder / "other.toml"


def age(work: Workplace) -> None:
    """Make all files older than a prune spares."""
    for each in blobs(work):
        os.utime(each, (0, 0))


def blobs(work: Workplace) -> list[Path]:
    return [each for each in (work.files / "sha256").rglob("*") if each.is_file()]


def test_a_folder_of_files_that_is_another_mirrors_is_refused_and_loses_nothing(
    workplace: Workplace, sandbox: Sandbox, world: World, other: Workplace
):
    workplace.settle(sandbox)
    workplace.backup()
    age(workplace)
    before = blobs(workplace)
    assert other.sandbox
    other.settle(other.sandbox)

    for _ in range(2):
        refused = other.run("backup")
        assert refused.code == 8, refused
        assert f"{workplace.files} holds the files of another mirror" in refused.err
        assert "`files`" in refused.err
        assert f"remove {workplace.files / 'mirror'}" in refused.err
    for job in (PRUNE, (*PRUNE, "--dry-run"), ("repair",)):
        refused = other.run(*job)
        assert (refused.code, refused.out) == (8, ""), refused
        assert "another mirror" in refused.err
    assert blobs(workplace) == before
    assert other.sql("select count(*) from snapshot") == [(0,)]

    workplace.settle(sandbox)
    assert workplace.run(*PRUNE).code == 0
    assert blobs(workplace) == before
    assert workplace.run("check", "--read-data").code == 0


def test_a_folder_is_given_over_on_purpose_and_then_refused_to_the_one_that_had_it(
    workplace: Workplace, sandbox: Sandbox, world: World, other: Workplace
):
    workplace.settle(sandbox)
    workplace.backup()
    (workplace.files / "mirror").unlink()
    assert other.sandbox
    other.settle(other.sandbox)
    other.backup()
    age(workplace)

    workplace.settle(sandbox)
    for job in (("backup",), PRUNE, ("repair",), ("restore", "--yes")):
        assert workplace.run(*job).code == 8
    # What asks no remote and changes nothing looks at whatever is there.
    assert workplace.run("check", "--read-data").code == 0
    assert workplace.run("export", str(workplace.folder / "out")).code == 0


def test_what_is_one_mirror_stays_one(
    backed_up: Workplace, world: World, sandbox: Sandbox, tmp_path: Path
):
    """An older state of the database has the same id, and so has a copy with its folder."""
    (mark,) = backed_up.sql("select mirror_id from mirror")
    assert (backed_up.files / "mirror").read_text() == f"{mark[0]}\n"
    assert (backed_up.files / "mirror").stat().st_mode & 0o777 == 0o600
    add_people(world.agent("Guide"), 1)
    backed_up.backup()
    del world.agent("Guide").people["p-anna-1"]
    restore(backed_up)
    age(backed_up)
    assert backed_up.run(*PRUNE).code == 0
    assert backed_up.run("repair").code == 0
    assert backed_up.sql("select mirror_id from mirror") == [mark]
    assert backed_up.run("check", "--read-data").code == 0
    if backed_up.database.startswith("sqlite"):
        moved = tmp_path / "moved"
        shutil.copytree(backed_up.folder, moved, ignore=shutil.ignore_patterns("moved"))
        elsewhere = replace(backed_up, folder=moved)
        elsewhere.settle(sandbox)
        elsewhere.backup()
        assert elsewhere.run(*PRUNE).code == 0


def test_a_folder_that_has_no_mark_yet_is_marked_by_the_next_writer_only(work: Workplace):
    work.backup()
    mark = work.files / "mirror"
    known = mark.read_text()
    for writer in (("backup",), PRUNE, ("repair",)):
        mark.unlink()
        for reader in ("status", "check", "snapshots", "log"):
            assert work.run(reader).code == 0
        assert work.run(*PRUNE, "--dry-run").code == 0
        assert not mark.exists()
        assert work.run(*writer).code == 0
        assert mark.read_text() == known
    assert {each.name for each in work.files.iterdir()} == {"mirror", "sha256", "tmp"}


def test_a_database_that_was_lost_does_not_go_unnoticed_and_can_be_begun_anew(
    work: Workplace, world: World
):
    work.backup()
    before = blobs(work)
    for each in work.folder.glob("mirror.db*"):
        each.unlink()
    lost = work.run("backup")
    assert lost.code == 8
    assert "was lost" in lost.err
    (work.files / "mirror").unlink()
    work.backup()
    assert blobs(work) == before
    assert work.run("check", "--read-data").code == 0
