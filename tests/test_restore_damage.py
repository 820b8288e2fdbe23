"""A restore from a mirror that is damaged: the rest comes back, and nothing wrong is sent."""

import sqlite3

from workplace import Workplace, execute, restore

from sync.sandbox import World


def test_a_damaged_blob_is_never_uploaded(work: Workplace, world: World):
    work.first_backup()
    (blob,) = [each for each in (work.files / "sha256").rglob("*") if each.is_file()]
    data = bytearray(blob.read_bytes())
    data[-1] ^= 1
    blob.write_bytes(data)
    world.assets.clear()
    result = restore(work, code=3)
    assert result["failures"][0]["reason"] == "its stored file is damaged or lost"
    assert not world.assets


def test_other_bytes_than_those_backed_up_are_never_called_verified(work: Workplace, world: World):
    work.first_backup()
    world.assets.clear()
    restore(work)
    (asset,) = world.assets.values()
    asset.content += b"tampered"
    with sqlite3.connect(work.folder / "mirror.db") as connection:
        new = asset.document["assetURL"].rpartition("/")[2]
        connection.execute("delete from change where kind = 'file' and key = ?", (f"asset/{new}",))
        connection.execute("delete from file where key = ?", (f"asset/{new}",))
    connection.close()
    result = restore(work, "--snapshot", "2", code=3)
    assert result["verified"] is False
    assert result["damaged"][0]["kind"] == "asset"


def test_a_file_whose_bytes_are_lost_here_and_there_is_no_success(work: Workplace, world: World):
    work.first_backup()
    (blob,) = [each for each in (work.files / "sha256").rglob("*") if each.is_file()]
    blob.unlink()
    world.assets.clear()
    result = restore(work, code=3)
    reasons = [each["reason"] for each in result["failures"]]
    assert reasons[0] == "its stored file is damaged or lost"
    assert result["verified"] is False


def test_a_damaged_version_is_left_alone_named_and_no_success_while_the_rest_comes_back(
    work: Workplace, world: World
):
    work.first_backup()
    guide = world.agent("Guide")
    hours, tale = (guide.memories.pop(key) for key in ("m-hours-1", "m-tale-1"))
    harm = "update change set document = json_set(document, '$.title', 'Mallory') where key = '{}'"
    execute(work, harm.format("m-hours-1"))

    result = restore(work, code=3)

    (made,) = guide.memories.values()
    assert made["title"] == tale["title"] != hours["title"]
    assert result["verified"] is False
    told = "what is stored of it is damaged, see: aisuru-sync check"
    assert {"kind": "memory", "key": "m-hours-1", "reason": told} in result["not_restorable"]


def test_a_version_that_cannot_be_read_at_all_is_damage_of_ours_not_of_the_remote(
    work: Workplace,
):
    work.first_backup()
    execute(work, "update change set document = 'no JSON' where key = 'm-hours-1'")
    outcome = work.run("show", "memory", "m-hours-1")
    assert outcome.code == 4
    assert "what is stored of memory m-hours-1 cannot be read" in outcome.err
