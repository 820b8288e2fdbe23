"""Fetching files: every form is found, nothing comes in that is not the file, nothing gets out."""

import gzip
import hashlib
import re
import resource
import subprocess
import sys
from itertools import count, repeat
from threading import Event
from time import sleep

import pytest
from file_host import Call, FileHost, cut_at, in_turn
from workplace import Workplace

from sync.api.download import Limits, download
from sync.api.remote import Access
from sync.api.stream import CHUNK_BYTES
from sync.api.transport import Transport
from sync.errors import BadAnswer, Unavailable
from sync.files import FileStore
from sync.kind import Route
from sync.link import FileRef
from sync.redact import Redactor
from sync.sandbox import Agent, Asset, Sandbox, World
from sync.stop import Stop

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40
LARGE = b"\x89PNG" + hashlib.sha256(b"seed").digest() * 20_000


@pytest.fixture
def host():
    with FileHost() as host:
        yield host


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


# -- one download, against a host that does its worst


@pytest.fixture
def store(tmp_path) -> FileStore:
    store = FileStore(tmp_path / "files")
    store.prepare()
    return store


@pytest.fixture
def access(host: FileHost):
    transport = Transport(host.url, host.url, redactor=Redactor(), stop=Stop(), retry_s=0.0)
    yield Access(transport, "session", lambda: "s3ss10n")
    transport.close()


@pytest.fixture
def patient(host: FileHost):
    """An access that calls again even if nothing came."""
    transport = Transport(host.url, host.url, redactor=Redactor(), stop=Stop(), retry_s=9.0)
    yield Access(transport, "session", lambda: "s3ss10n")
    transport.close()


def get(access: Access, store: FileStore, host: FileHost, **limits) -> bytes:
    """Download `/a.png`, and give what the store then holds."""
    ref = FileRef(f"{host.url}/a.png", f"{host.url}/a.png")
    with store.receive() as incoming:
        mime_type = download(access, ref, incoming, "", Limits(**limits))
        assert mime_type == "image/png"
        blob = incoming.keep()
    return store.path(blob.sha256).read_bytes()


def left(store: FileStore) -> list:
    return [each for each in store.root.rglob("*") if each.is_file()]


@pytest.mark.parametrize("cut", [CHUNK_BYTES, CHUNK_BYTES + 1, len(LARGE) - 1])
def test_a_download_that_is_cut_goes_on_where_it_was(access, store, host, cut):
    host.files["/a.png"] = cut_at(LARGE, [cut])
    assert get(access, store, host) == LARGE
    assert host.asked == ["/a.png"] * 2
    (resumed,) = [each for each in host.headers if each.startswith("Range")]
    # Of what came last, up to a chunk may be lost with the connection.
    assert cut - CHUNK_BYTES <= int(re.sub(r"\D", "", resumed)) <= cut
    assert 'If-Range: "1"' in host.headers


@pytest.mark.parametrize("cut", [0, 1, CHUNK_BYTES - 1])
def test_a_download_that_is_cut_within_its_first_chunk_begins_again(patient, store, host, cut):
    host.files["/a.png"] = cut_at(LARGE, [cut])
    assert get(patient, store, host) == LARGE
    assert host.asked == ["/a.png"] * 2


def test_a_download_goes_on_as_long_as_every_turn_brings_something(access, store, host):
    host.files["/a.png"] = cut_at(LARGE, repeat(CHUNK_BYTES, 2))
    assert get(access, store, host) == LARGE
    assert host.asked == ["/a.png"] * 3


@pytest.mark.parametrize("etag", ["", 'W/"1"'])
def test_without_a_strong_version_a_cut_download_begins_again(access, store, host, etag):
    host.files["/a.png"] = cut_at(LARGE, [CHUNK_BYTES + 5], etag)
    assert get(access, store, host) == LARGE
    assert not [each for each in host.headers if each.startswith("Range")]


def test_a_file_that_changed_between_two_parts_is_taken_from_its_start(access, store, host):
    new = LARGE[::-1]
    host.files["/a.png"] = in_turn(cut_at(LARGE, [CHUNK_BYTES]), cut_at(new, [], '"2"'))
    assert get(access, store, host) == new


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (206, {"Content_Range": f"bytes 0-99/{len(LARGE)}", "ETag": '"1"'}),
        (206, {"Content_Range": f"bytes {CHUNK_BYTES}-{len(LARGE) - 1}/*", "ETag": '"2"'}),
        (416, {"Content_Range": f"bytes */{len(LARGE)}"}),
    ],
)
def test_a_host_that_does_not_keep_to_ranges_is_asked_for_all_of_it(
    patient, store, host, status, headers
):
    def wrong(call: Call) -> None:
        call.start(status, Content_Length=100, **headers)
        call.send(b"x" * 100)

    host.files["/a.png"] = in_turn(cut_at(LARGE, [CHUNK_BYTES]), wrong, cut_at(LARGE, []))
    assert get(patient, store, host) == LARGE


def always_cut(call: Call) -> None:
    call.start(Content_Length=1000)
    call.send(b"x" * 10)
    call.hang_up()


def zipped(call: Call) -> None:
    bomb = gzip.compress(bytes(50_000_000))
    call.start(Content_Length=len(bomb), Content_Encoding="gzip")
    call.send(bomb)


def page(call: Call) -> None:
    call.start(Content_Length=6, Content_Type="text/html")
    call.send(b"<html>")


def endless(call: Call) -> None:
    call.start(Transfer_Encoding="chunked")
    for _ in count():
        call.send(b"10000\r\n" + bytes(0x10000) + b"\r\n")


def huge(call: Call) -> None:
    call.start(Content_Length=10**15)
    call.send(bytes(CHUNK_BYTES))
    call.hang_up()


@pytest.mark.parametrize(
    ("answer", "error", "why"),
    [
        (always_cut, Unavailable, "broke"),
        (zipped, BadAnswer, "compressed"),
        (page, BadAnswer, "no AIsuru answer"),
        (endless, BadAnswer, "larger than 1 MiB"),
        (huge, BadAnswer, "larger than 1 MiB"),
    ],
)
def test_what_is_not_the_whole_file_is_not_kept(access, store, host, answer, error, why):
    host.files["/a.png"] = answer
    with pytest.raises(error, match=why):
        get(access, store, host, size_mib=1)
    assert left(store) == []


def drip(call: Call) -> None:
    call.start(Content_Length=10**6)
    for _ in range(100):
        call.send(b" ")
        sleep(0.02)


def test_an_answer_that_drips_is_given_up_in_time(access, host, monkeypatch):
    monkeypatch.setattr("sync.api.stream._ANSWER_S", 0.1)
    host.files["/api/v2/User/t"] = drip
    with pytest.raises(Unavailable, match="was not here after 0.1 seconds"):
        access.transport.call(Route("GET", "/api/v2/User/{token}"), {"token": "t"})


def test_a_file_that_drips_is_given_up_in_time(access, store, host):
    host.files["/a.png"] = drip
    with pytest.raises(BadAnswer, match="was not here in time"):
        get(access, store, host, time_s=0.1)
    assert left(store) == []


def test_a_file_without_a_length_is_whole_when_the_connection_ends(access, store, host):
    def unsized(call: Call) -> None:
        call.start(Connection="close")
        call.send(LARGE)
        call.hang_up()

    host.files["/a.png"] = unsized
    assert get(access, store, host) == LARGE


def redirect(location: str):
    return lambda call: call.start(302, Location=location, Content_Length=0)


def test_a_redirect_is_followed_to_configured_origins_only(access, store, host):
    with FileHost() as other:
        other.files["/b.png"] = LARGE
        host.files["/a.png"] = redirect(f"{other.url}/b.png?signature=s3cret")
        with pytest.raises(BadAnswer, match=f"redirected, to {other.url}") as raised:
            get(access, store, host)
        assert "s3cret" not in str(raised.value)
        assert other.asked == []
        assert get(access, store, host, origins=frozenset({other.url})) == LARGE


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        "//127.0.0.1:1/x",
        "http://[",
    ],
)
def test_a_redirect_to_where_nobody_allowed_is_refused(access, store, host, location):
    host.files["/a.png"] = redirect(location)
    with pytest.raises(BadAnswer, match="redirected"):
        get(access, store, host, origins=frozenset({host.url}))


def test_redirects_in_a_circle_end(access, store, host):
    host.files["/a.png"] = redirect("/a.png")
    with pytest.raises(BadAnswer, match="more than 3 times"):
        get(access, store, host, origins=frozenset({host.url}))
    assert len(host.asked) == 4


# -- and what a backup makes of it


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
    names = [each for each in work.files.rglob("*") if each.is_file()]
    assert all(hashlib.sha256(each.read_bytes()).hexdigest().endswith(each.name) for each in names)
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


@pytest.mark.parametrize("number", range(4))
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


def is_whole(blob) -> bool:
    return hashlib.sha256(blob.read_bytes()).hexdigest() == blob.parent.name + blob.name
