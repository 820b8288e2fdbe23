"""Files that can never be had, and that the owner goes on without: `without_files` in [backup]."""

import pytest
from file_host import LARGE, PNG, FileHost
from workplace import Workplace, restore

from sync.sandbox import Agent, Asset, Sandbox, World


@pytest.fixture
def guide(world: World) -> Agent:
    return world.agent("Guide")


@pytest.fixture
def film(work: Workplace, host: FileHost, guide: Agent) -> str:
    """The key of a file that is larger than the settings allow."""
    host.files["/film.png"] = LARGE * 2
    show(guide, f"{host.url}/film.png")
    settle(work, host)
    return f"{host.url}/film.png"


def show(agent: Agent, url: str) -> None:
    """Have the first content show a file besides its own."""
    media = agent.memories["m-hours-1"]["media"]
    media[1:] = [{**media[0], "mediumID": "x-film", "url": url}]


def settle(work: Workplace, host: FileHost, *without: str) -> None:
    assert work.sandbox
    more = f"file_mib = 1\nwithout_files = {list(without)}\n"
    work.settle(work.sandbox, more, assets=host.url)


def of_guide(result: dict) -> dict:
    (found,) = [each for each in result["snapshots"] if each["source"]["name"] == "Guide"]
    return found


def statuses(work: Workplace) -> dict[str, str]:
    return dict(work.sql("select key, status from file"))


def test_a_file_that_can_never_be_had_keeps_no_agent_from_being_whole_if_the_owner_says_so(
    work: Workplace, host: FileHost, film: str
):
    failed = work.run("backup")
    assert failed.code == 3
    assert f"failed: {film} of Guide: the file is larger than 1 MiB" in failed.out
    assert "without_files" in failed.out
    assert work.run("status", "--max-age", "1h").code == 7
    told = work.run("status")
    assert f"Guide: could not be fetched: {film}" in told.out
    assert "without_files" in told.out
    settle(work, host, film)
    host.asked.clear()

    result = work.backup()

    assert host.asked == []
    snapshot = of_guide(result)
    assert snapshot["status"] == "complete"
    files = snapshot["files"]
    assert (files["referenced"], files["failed"], files["left_out"]) == (2, 0, 1)
    (trouble,) = result["file_troubles"]
    assert (trouble["key"], trouble["outcome"]) == (film, "left_out")
    assert statuses(work)[film] == "left_out"
    out = work.run("backup").out
    assert "1 left out" in out
    assert f"left out: {film} of Guide" in out


def test_what_is_left_out_is_counted_by_status_and_makes_nothing_too_old(
    work: Workplace, host: FileHost, film: str
):
    settle(work, host, film)
    work.backup()
    told = work.run("status", "--json", "--max-age", "1h")
    assert told.code == 0
    counts = {each["source"]["name"]: each["files"] for each in told.json["sources"]}
    assert counts["Guide"] == {"missing": 0, "failed": 0, "left_out": 1, "failed_keys": []}
    assert "Guide: 1 file is left out, as `without_files` says" in work.run("status").out


def test_status_names_some_of_many_files_that_could_not_be_fetched_and_no_secret(
    work: Workplace, host: FileHost, guide: Agent
):
    media = guide.memories["m-hours-1"]["media"]
    for number in range(7):
        url = f"{host.url}/film-{number}.png?token=hush"
        media.append({**media[0], "mediumID": f"x-{number}", "url": url})
    settle(work, host)
    host.files |= {f"/film-{number}.png": LARGE * 2 for number in range(7)}
    work.backup(code=3)
    out = work.run("status").out
    assert f"Guide: could not be fetched: {host.url}/film-4.png\n" in out
    assert "Guide: and 2 files more" in out
    (files,) = (
        each["files"]
        for each in work.run("status", "--json").json["sources"]
        if each["source"]["name"] == "Guide"
    )
    assert files["failed"] == 7
    assert files["failed_keys"][-1] == f"{host.url}/film-6.png"


def test_a_file_that_was_stored_and_got_lost_is_told_as_one_that_could_not_be_fetched(
    work: Workplace, host: FileHost, film: str
):
    large, host.files["/film.png"] = host.files["/film.png"], PNG
    work.backup()
    host.files["/film.png"] = large
    ((sha256,),) = work.sql(f"select sha256 from file where key = '{film}'")
    (work.files / "sha256" / sha256[:2] / sha256[2:]).unlink()
    work.backup(code=3)
    out = work.run("status").out
    assert f"Guide: could not be fetched: {film}\n" in out
    assert "never fetched" not in out


def test_files_that_are_told_alike_are_told_once(work: Workplace, host: FileHost, guide: Agent):
    media = guide.memories["m-hours-1"]["media"]
    for number in range(7):
        url = f"{host.url}/film.png?token={number}"
        media.append({**media[0], "mediumID": f"x-{number}", "url": url})
    settle(work, host)
    host.files["/film.png"] = LARGE * 2
    work.backup(code=3)
    out = work.run("status").out
    assert out.count(f"{host.url}/film.png") == 1
    assert f"Guide: could not be fetched: {host.url}/film.png (7 files)\n" in out
    assert "more" not in out
    sources = work.run("status", "--json").json["sources"]
    (files,) = (each["files"] for each in sources if each["source"]["name"] == "Guide")
    assert (files["failed"], files["failed_keys"]) == (7, [f"{host.url}/film.png"])


def test_status_says_how_many_files_failed_where_it_cannot_name_them(work: Workplace, world: World):
    (asset,) = world.assets.values()
    asset.document["assetURL"] = "https://elsewhere.example/files/picture"
    work.backup(code=3)
    out = work.run("status").out
    assert "owner: 1 file failed in snapshot 1; the next `backup` names them, and why\n" in out
    assert "without_files" in out


def test_a_file_that_is_stored_from_before_is_no_reason_to_say_nothing(
    work: Workplace, host: FileHost, film: str
):
    large, host.files["/film.png"] = host.files["/film.png"], PNG
    work.backup()
    host.files["/film.png"] = large
    work.backup(code=3)
    assert "Guide: 1 file failed in snapshot 4;" in work.run("status").out


def test_what_is_left_out_no_longer_is_asked_for_again(work: Workplace, host: FileHost, film: str):
    settle(work, host, film)
    work.backup()
    settle(work, host)
    work.backup(code=3)
    host.files["/film.png"] = PNG
    assert of_guide(work.backup())["files"]["downloaded"] == 1
    assert statuses(work)[film] == "stored"


def test_the_bytes_that_were_had_before_a_file_was_left_out_stay(
    work: Workplace, host: FileHost, film: str
):
    large, host.files["/film.png"] = host.files["/film.png"], PNG
    work.backup()
    host.files["/film.png"] = large
    work.backup(code=3)
    settle(work, host, film)
    result = work.backup()
    assert of_guide(result)["files"]["left_out"] == 1
    assert work.sql(f"select status, size_bytes from file where key = '{film}'") == [
        ("stored", len(PNG))
    ]
    assert work.run("check", "--read-data").code == 0


def test_an_entry_without_a_query_stands_for_the_file_as_it_was_told(
    work: Workplace, host: FileHost, film: str, guide: Agent
):
    show(guide, f"{film}?key=secret")
    (told,) = work.backup(code=3)["file_troubles"]
    settle(work, host, told["key"])
    assert of_guide(work.backup())["files"]["left_out"] == 1
    settle(work, host, f"{film}?key=another")
    work.backup(code=3)


def test_an_entry_that_leaves_nothing_out_is_told_once_all_was_seen(
    work: Workplace, world: World, host: FileHost, film: str
):
    ((name, _),) = world.assets.items()
    work.backup(code=3)
    settle(work, host, film, "asset/typo.png", f"asset/{name}")

    whole = work.run("backup")
    assert whole.code == 0
    needless = [each for each in whole.err.splitlines() if "without_files.not_needed" in each]
    assert len(needless) == 2
    assert "typo.png" in str(needless)
    assert name in str(needless), "what never changes is there for good"

    for part in (["--memori", "Guide"], ["--kind", "person"]):
        assert "not_needed" not in work.run("backup", *part).err


def test_an_asset_that_does_not_say_where_it_is_can_be_left_out(
    work: Workplace, world: World, host: FileHost
):
    ((_, asset),) = world.assets.items()
    asset.document["assetURL"] = "https://elsewhere.example/files/picture"
    settle(work, host)
    (told,) = work.backup(code=3)["file_troubles"]
    settle(work, host, told["key"])
    result = work.backup()
    assert [each["outcome"] for each in result["file_troubles"]] == ["left_out"]


def test_a_restore_and_an_export_name_what_was_left_out(
    work: Workplace, world: World, host: FileHost, guide: Agent, tmp_path
):
    ((name, asset),) = world.assets.items()
    world.assets[name] = Asset(asset.document, LARGE * 2)
    settle(work, host, f"asset/{name}")
    assert work.backup()["file_troubles"]

    out = work.run("export", str(tmp_path / "out"), "--json").json
    assert "the settings left it out" in str(out["missing"])
    del world.assets[name]
    guide.memories["m-hours-1"]["media"].clear()
    result = restore(work, "--memori", "Guide")
    reasons = {each["key"]: each["reason"] for each in result["not_restorable"]}
    assert reasons[asset.document["assetID"]] == "its file was never stored"


def test_without_files_can_come_from_the_environment(
    work: Workplace, sandbox: Sandbox, host: FileHost, film: str, monkeypatch
):
    monkeypatch.setenv("AISURU_SYNC_BACKUP__WITHOUT_FILES", f"asset/x.png,{film}")
    assert of_guide(work.backup())["files"]["left_out"] == 1
