"""What a backup makes of files: every form is found, nothing gets out, nothing half stays."""

import hashlib
import re
import resource
import subprocess
import sys
from itertools import repeat
from threading import Event
from time import sleep

import pytest
from file_host import LARGE, PNG, Call, FileHost, cut_at
from workplace import Workplace

from sync.api.stream import CHUNK_BYTES
from sync.sandbox import Agent, Asset, Sandbox, World


@pytest.fixture
def guide(world: World) -> Agent:
    return world.agent("Guide")


def refer(agent: Agent, *urls: str) -> None:
    """Give the first content media with these URLs instead of its own."""
    memory = agent.memories["m-hours-1"]
    (medium,) = memory["media"]
    memory["media"] = [
        {**medium, "mediumID": f"x-{n}", "url": url} for n, url in enumerate(urls, start=1)
    ]


def files(work: Workplace) -> dict[str, tuple[str, int | None]]:
    """{key: (status, size)} of the agent's files."""
    rows = work.sql(
        "select file.key, status, size_bytes from file join source on source.id = source_id"
        " where source.name = 'Guide'"
    )
    return {key: (status, size) for key, status, size in rows}


def test_every_form_of_earlier_years_is_fetched(work: Workplace, world: World, guide: Agent):
    ((name, asset),) = world.assets.items()
    asset.document |= {"memoriID": guide.memori_id, "engineMemoryID": "m-hours-1"}
    open_name = "11111111-aaaa-4bbb-8ccc-000000000009.png"
    facts = {"assetID": open_name[:-4], "mimeType": "image/png"}
    world.assets[open_name] = Asset({**asset.document, **facts, "engineMemoryID": None}, PNG)
    guide.settings["coverURL"] = f"https://assets.memori.ai/api/v2/asset/{open_name}"
    refer(
        guide,
        f"cloud://twin.memori.ai/{open_name}",
        f"guid://{open_name[:-4]}",
        f"/api/v1/memoriai/memory/media/cloud/twin/{name}?memori-ai-session-id=gone",
        f"https://old.example/api/v1/memoriai/memory/m-hours-1/media/cloud/{name}\n",
    )
    old_cover = f"/api/v1/memoriai/memori/cover/{guide.engine_id}"
    guide.memories["m-tale-1"]["answers"][0]["text"] = f'<img src="{old_cover}">'

    work.backup()

    small, large = len(asset.content), len(PNG)
    assert files(work) == {
        f"cloud/twin.memori.ai/{open_name}": ("stored", large),
        f"guid/{open_name[:-4]}": ("stored", large),
        f"memoriai/memory/media/cloud/twin/{name}": ("stored", small),
        f"memoriai/memory/m-hours-1/media/cloud/{name}": ("stored", small),
        f"memoriai/memori/cover/{guide.engine_id}": ("stored", large),
    }


def test_what_is_no_file_is_kept_word_for_word_and_never_fetched(
    work: Workplace, sandbox: Sandbox, guide: Agent
):
    urls = ("rgb(255, 0, 0)", "https://example.org/page", "data:image/png;base64,iVBORw0KGgo=")
    refer(guide, *urls)
    work.backup()
    assert files(work) == {}
    assert {url for (url,) in work.sql("select url from medium")} == set(urls)


def test_an_asset_that_the_backend_does_not_have_is_fetched_from_its_own_configured_url(
    work: Workplace, sandbox: Sandbox, host: FileHost, guide: Agent
):
    name = "22222222-aaaa-4bbb-8ccc-000000000009.png"
    host.files[f"/api/v2/asset/{name}"] = PNG
    work.settle(sandbox, assets=host.url)
    refer(guide, f"{host.url}/api/v2/asset/{name}")

    work.backup()

    assert files(work) == {f"asset/{name}": ("stored", len(PNG))}
    assert host.asked == [f"/api/v2/asset/{name}"]


def test_of_two_urls_of_one_file_the_one_that_can_be_fetched_counts(
    work: Workplace, sandbox: Sandbox, host: FileHost, guide: Agent
):
    host.files["/api/v2/asset/x.png"] = PNG
    work.settle(sandbox, assets=host.url)
    refer(guide, "/api/v2/asset/x.png")
    guide.memories["m-hours-1"]["answers"] = [{"text": f"see {host.url}/api/v2/asset/x.png"}]
    work.backup()
    assert files(work) == {"asset/x.png": ("stored", len(PNG))}


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (
            "https://me:hush@elsewhere.example/files/picture",
            "it is on https://elsewhere.example, which `asset_urls` in [account] does not name",
        ),
        (None, "it does not say where its file is"),
        ("ftp://elsewhere.example/x", "it does not say where its file is"),
    ],
)
def test_an_asset_whose_file_cannot_be_asked_for_makes_no_backup_complete(
    work: Workplace, world: World, url: str | None, why: str
):
    ((_, asset),) = world.assets.items()
    asset.document["assetURL"] = url
    outcome = work.run("backup", "-v")
    assert outcome.code == 3
    assert "file.unaddressed" in outcome.err
    assert "1 file could not be fetched" in outcome.out
    assert f"failed: asset {asset.document['assetID']} of owner: {why}" in outcome.out
    assert "hush" not in outcome.out + outcome.err


def test_the_files_that_could_not_be_had_are_named_with_the_reason_but_not_all_of_many(
    work: Workplace, world: World, host: FileHost, guide: Agent
):
    work.settle(work.sandbox, assets=host.url)
    host.files["/page.png"] = lambda call: call.start(403, Content_Length=0)
    refer(guide, f"{host.url}/page.png?key=secret", f"{host.url}/gone.png")
    troubles = {each["key"]: each for each in work.backup(code=3)["file_troubles"]}
    page, gone = troubles[f"{host.url}/page.png"], troubles[f"{host.url}/gone.png"]
    assert (page["source"], page["outcome"], gone["outcome"]) == ("Guide", "failed", "missing")
    assert "403" in page["why"]
    assert gone["why"]
    del guide.memories["m-hours-1"]["media"][1:]
    refer(guide, *(f"{host.url}/{n}.png" for n in range(30)))
    outcome = work.run("backup")
    assert outcome.code == 3
    assert outcome.out.count("missing: ") == 20
    again = work.backup()["file_troubles"]
    assert len(again) == 20, "known to be missing is told again, too"


def test_no_host_but_the_remote_is_ever_told_a_session_or_a_token(
    work: Workplace, sandbox: Sandbox, host: FileHost, guide: Agent
):
    host.files["/cover.png"] = PNG
    work.settle(sandbox, assets=host.url)
    refer(guide, f"{host.url}/cover.png?memori-ai-session-id=x", f"{host.url}/api/v2/asset/no.png")
    work.backup(code=3)
    assert sorted(host.asked) == ["/api/v2/asset/no.png", "/cover.png"]
    told = "\n".join(host.headers).lower()
    assert not re.search("cookie|authorization|referer", told)


@pytest.mark.parametrize("start", ["", "//assets.memori.ai", "https://assets.memori.ai"])
def test_a_session_behind_a_name_with_a_blank_does_not_get_into_the_mirror(
    work: Workplace, guide: Agent, start: str
):
    session = "5e551000-dead-4000-8000-0000000000aa"
    refer(guide, f"{start}/api/v2/asset/a b.png/{session}")
    work.backup(code=3)
    told = work.sql("select document from change") + work.sql("select url from medium")
    assert "a b.png/~" in str(told)
    assert session not in str(told)


@pytest.mark.parametrize("dirt", ["\x00", "\ud800"])
def test_a_url_that_no_database_takes_is_a_link_and_keeps_no_file_away(
    workplace: Workplace, sandbox: Sandbox, host: FileHost, guide: Agent, database: str, dirt: str
):
    host.files |= {"/a.png": PNG, "/z.png": PNG}
    workplace.database = database
    workplace.settle(sandbox, assets=host.url)
    refer(guide, f"{host.url}/a.png?v={dirt}", f"{host.url}/z.png")
    workplace.backup()
    assert files(workplace) == {f"{host.url}/z.png": ("stored", len(PNG))}


def test_files_with_odd_names_and_files_that_differ_in_their_query_are_all_fetched(
    work: Workplace, sandbox: Sandbox, host: FileHost, guide: Agent
):
    name = "Screenshot%20at%203.45%E2%80%AFPM.png"
    host.files |= {f"/api/v2/asset/{name}": PNG, "/i": PNG}
    work.settle(sandbox, assets=host.url)
    refer(guide, f"{host.url}/api/v2/asset/{name}", f"{host.url}/i?id=1", f"{host.url}/i?id=2")
    work.backup()
    assert files(work) == {
        "asset/Screenshot at 3.45\u202fPM.png": ("stored", len(PNG)),
        f"{host.url}/i?id=1": ("stored", len(PNG)),
        f"{host.url}/i?id=2": ("stored", len(PNG)),
    }


def test_a_full_disk_ends_the_backup_with_8_and_leaves_no_half_file(
    work: Workplace, sandbox: Sandbox, host: FileHost, guide: Agent
):
    host.files["/cover.png"] = LARGE * 8
    work.settle(sandbox, assets=host.url)
    refer(guide, f"{host.url}/cover.png")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * 1024 * 1024, before[1]))
    try:
        outcome = work.run("backup")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert outcome.code == 8
    assert "cannot write below" in outcome.err
    for each in work.stored():
        assert hashlib.sha256(each.read_bytes()).hexdigest().endswith(each.name)
    work.backup()
    assert files(work) == {f"{host.url}/cover.png": ("stored", len(LARGE) * 8)}


def test_a_dead_host_keeps_no_file_of_the_remote_away(
    work: Workplace, sandbox: Sandbox, world: World, guide: Agent
):
    with FileHost() as gone:
        url = gone.url
    work.settle(sandbox, assets=url)
    ((name, asset),) = world.assets.items()
    # By key the dead host's come first.
    late = f"memoriai/memory/media/cloud/{name}"
    refer(guide, *(f"{url}/{each}.png" for each in range(3)), f"/api/v1/{late}")
    asset.document |= {"memoriID": None, "engineMemoryID": None}

    outcome = work.run("backup", "-v")

    assert outcome.code == 3
    assert files(work)[late] == ("stored", len(asset.content))
    assert sorted(status for status, _ in files(work).values()) == ["failed"] * 3 + ["stored"]


def silent(_: Call) -> None:
    sleep(3)


def stalling(call: Call) -> None:
    call.start(Content_Length=len(PNG))
    sleep(3)


def lifeless(call: Call) -> None:
    call.hang_up()


@pytest.mark.parametrize("answer", [silent, stalling, lifeless])
def test_a_host_that_gives_no_byte_is_not_waited_for_with_every_file(
    work: Workplace, sandbox: Sandbox, host: FileHost, guide: Agent, monkeypatch, answer
):
    monkeypatch.setattr("sync.api.transport.READ_S", 0.3)
    host.files |= {f"/{each}.png": answer for each in range(20)}
    work.settle(sandbox, assets=host.url)
    refer(guide, *(f"{host.url}/{each}.png" for each in range(20)))
    troubles = work.backup(code=3)["file_troubles"]
    assert len(host.asked) < 10
    # Those that were on their way when it was found out may have the same to tell.
    reasons = {each["why"].partition(": ")[0] for each in troubles}
    left_alone = f"{host.url.removeprefix('http://')} is asked no more"
    assert left_alone in reasons
    assert len(reasons) == 2
    assert {status for status, _ in files(work).values()} == {"failed"}


def test_a_file_that_comes_short_is_told_so_and_keeps_no_other_away(
    work: Workplace, sandbox: Sandbox, host: FileHost, guide: Agent
):
    host.files = {f"/{each}.png": PNG for each in range(5)}
    host.files["/0.png"] = cut_at(PNG, repeat(100))
    work.settle(sandbox, assets=host.url)
    refer(guide, *(host.url + path for path in host.files))
    (trouble,) = work.backup(code=3)["file_troubles"]
    assert trouble["key"] == f"{host.url}/0.png"
    assert f"only 100 of {len(PNG)} bytes came" in trouble["why"]
    assert sorted(status for status, _ in files(work).values()) == ["failed"] + ["stored"] * 4


def test_a_host_that_is_busy_with_one_file_is_asked_for_the_others(
    work: Workplace, sandbox: Sandbox, host: FileHost, guide: Agent
):
    host.files = {f"/{each}.png": PNG for each in range(10)}
    host.files["/0.png"] = lambda call: call.start(503, Content_Length=0)
    work.settle(sandbox, assets=host.url)
    refer(guide, *(host.url + path for path in host.files))
    work.backup(code=3)
    assert [*files(work).values()].count(("stored", len(PNG))) == 9


def test_a_file_that_comes_back_unchanged_is_not_missing_any_more(
    work: Workplace, sandbox: Sandbox, host: FileHost, guide: Agent
):
    def versioned(call: Call) -> None:
        if call.headers.get("If-None-Match") == '"1"':
            call.start(304)
        else:
            cut_at(PNG, [])(call)

    work.settle(sandbox, assets=host.url)
    refer(guide, f"{host.url}/cover.png")
    host.files["/cover.png"] = versioned
    work.backup()
    del host.files["/cover.png"]
    work.backup(code=3)
    assert files(work) == {f"{host.url}/cover.png": ("missing", len(PNG))}
    host.files["/cover.png"] = versioned
    work.backup()
    assert files(work) == {f"{host.url}/cover.png": ("stored", len(PNG))}


def test_another_host_that_speaks_of_a_password_ends_no_backup(
    work: Workplace, sandbox: Sandbox, host: FileHost, guide: Agent
):
    host.files |= {"/a.png": b'{"resultCode": -13}', "/b.png": PNG}
    work.settle(sandbox, assets=host.url)
    refer(guide, f"{host.url}/a.png", f"{host.url}/b.png")
    work.backup(code=3)
    assert files(work) == {
        f"{host.url}/a.png": ("failed", None),
        f"{host.url}/b.png": ("stored", len(PNG)),
    }


@pytest.mark.parametrize("number", [0, 3])
def test_killed_in_the_middle_of_a_download_nothing_half_is_left(
    work: Workplace, sandbox: Sandbox, host: FileHost, guide: Agent, number: int
):
    names = [f"/{each}.png" for each in range(4)]
    halfway, over = Event(), Event()

    def stuck(call: Call) -> None:
        call.start(Content_Length=len(LARGE))
        call.send(LARGE[: CHUNK_BYTES * 2])
        halfway.set()
        over.wait(60)

    host.files |= {name: LARGE + name.encode() for name in names}
    host.files[names[number]] = stuck
    work.settle(sandbox, assets=host.url)
    refer(guide, *(host.url + name for name in names))
    command = [sys.executable, "-m", "sync", "backup", "--config", str(work.config)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        assert halfway.wait(60)
        process.kill()
    over.set()
    assert all(is_whole(each) for each in (work.files / "sha256").rglob("*") if each.is_file())

    host.files[names[number]] = LARGE
    work.backup()

    assert not [*(work.files / "tmp").iterdir()]
    assert {status for status, _ in files(work).values()} == {"stored"}
    assert all(is_whole(each) for each in (work.files / "sha256").rglob("*") if each.is_file())
    assert work.run("check", "--read-data").code == 0


@pytest.mark.parametrize("sent", [None, LARGE[:CHUNK_BYTES]])
def test_a_stop_is_obeyed_at_once_while_a_host_keeps_silent(
    work: Workplace, sandbox: Sandbox, host: FileHost, guide: Agent, sent: bytes | None
):
    waiting, over = Event(), Event()

    def stuck(call: Call) -> None:
        if sent is not None:
            call.start(Content_Length=len(LARGE))
            call.send(sent)
        waiting.set()
        over.wait(60)

    host.files["/a.png"] = stuck
    work.settle(sandbox, assets=host.url, retry_s=60)
    refer(guide, f"{host.url}/a.png")
    command = [sys.executable, "-m", "sync", "backup", "--config", str(work.config)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        assert waiting.wait(60)
        sleep(0.3)
        process.terminate()
        try:
            assert process.wait(10) == 143
        finally:
            process.kill()
            over.set()
    assert not [*(work.files / "tmp").iterdir()]


def is_whole(blob) -> bool:
    return hashlib.sha256(blob.read_bytes()).hexdigest() == blob.parent.name + blob.name
