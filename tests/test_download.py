"""One download, against a host that does its worst."""

import gzip
import re
from itertools import count, repeat
from time import sleep

import pytest
import tenacity
from file_host import LARGE, Call, FileHost, cut_at, in_turn

from sync.api.download import FileLimits, download
from sync.api.remote import Access
from sync.api.stream import CHUNK_BYTES
from sync.api.transport import Transport
from sync.errors import BadAnswer, NotFound, Unavailable
from sync.files import FileStore
from sync.kind import Route
from sync.link import FileRef
from sync.redact import Redactor
from sync.stop import Stop


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
def patient(host: FileHost, monkeypatch: pytest.MonkeyPatch):
    """An access that calls again even if nothing came, and counts the seconds without waiting."""
    monkeypatch.setattr(tenacity, "sleep_using_event", lambda _: lambda _: None)
    transport = Transport(host.url, host.url, redactor=Redactor(), stop=Stop(), retry_s=9.0)
    yield Access(transport, "session", lambda: "s3ss10n")
    transport.close()


def get_key(access: Access, store: FileStore, key: str, url: str = "", **limits) -> bytes:
    """Download the file of a key, and give what the store then holds."""
    access.open()
    with store.receive() as incoming:
        download(access, FileRef(key, url), incoming, "", FileLimits(**limits))
        blob = incoming.keep()
    return store.path(blob.sha256).read_bytes()


def alive(host: FileHost) -> FileHost:
    """Let the host say that every session of ours is alive."""
    told = b'{"resultCode": 0, "isValid": true}'
    host.files["/memori/v2/Session/s3ss10n/IsValid"] = told
    return host


def get(access: Access, store: FileStore, host: FileHost, **limits) -> bytes:
    """Download `/a.png`, and give what the store then holds."""
    ref = FileRef(f"{host.url}/a.png", f"{host.url}/a.png")
    with store.receive() as incoming:
        mime_type = download(access, ref, incoming, "", FileLimits(**limits))
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


def rest_of(call: Call, most: int, told: int | str = len(LARGE), **headers) -> None:
    """Give at most so many bytes of the rest that was asked for, and tell a size of all."""
    start = int(re.sub(r"\D", "", call.headers["Range"]))
    rest = LARGE[start : start + most]
    part = f"bytes {start}-{start + len(rest) - 1}/{told}"
    call.start(206, Content_Range=part, ETag='"1"', **headers)
    call.send(rest)
    if "Content_Length" not in headers:
        call.hang_up()


def test_a_host_that_gives_the_rest_in_parts_is_asked_until_all_is_there(access, store, host):
    def parts(call: Call) -> None:
        start = int(re.sub(r"\D", "", call.headers["Range"]))
        rest_of(call, 100_000, Content_Length=min(100_000, len(LARGE) - start))

    host.files["/a.png"] = in_turn(cut_at(LARGE, [CHUNK_BYTES]), parts)
    assert get(access, store, host) == LARGE
    assert len(host.asked) > 3


def test_a_rest_that_ends_before_the_file_does_is_not_the_whole_rest(access, store, host):
    unsized = in_turn(lambda call: rest_of(call, 100), cut_at(LARGE, []))
    host.files["/a.png"] = in_turn(cut_at(LARGE, [CHUNK_BYTES]), unsized)
    assert get(access, store, host) == LARGE


@pytest.mark.parametrize("told", ["*", "1", "9" * 5000])
def test_a_rest_without_a_believable_size_of_the_file_is_not_taken(patient, store, host, told):
    def odd(call: Call) -> None:
        rest_of(call, 100, told, Content_Length=100)

    host.files["/a.png"] = in_turn(cut_at(LARGE, [CHUNK_BYTES]), odd, cut_at(LARGE, []))
    assert get(patient, store, host) == LARGE
    assert len([each for each in host.headers if each.startswith("Range")]) == 1


def always_cut(call: Call) -> None:
    call.start(Content_Length=1000)
    call.send(b"x" * 10)
    call.hang_up()


def cut_chunk(call: Call) -> None:
    call.start(Transfer_Encoding="chunked")
    call.send(b"a\r\n" + b"x" * 10)
    call.hang_up()


def nothing(call: Call) -> None:
    call.start(Content_Length=1000)
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


def countless(call: Call) -> None:
    call.start(Content_Length="9" * 5000)
    call.send(LARGE[:1000])
    call.hang_up()


@pytest.mark.parametrize(
    ("answer", "error", "why"),
    [
        (always_cut, Unavailable, "only 10 of 1000 bytes came"),
        (cut_chunk, Unavailable, "broke: only 10 bytes came"),
        (nothing, Unavailable, "broke$"),
        (zipped, BadAnswer, "compressed"),
        (page, BadAnswer, "no AIsuru answer"),
        (endless, BadAnswer, "larger than 1 MiB"),
        (huge, BadAnswer, "larger than 1 MiB"),
        (countless, BadAnswer, "no number"),
    ],
)
def test_what_is_not_the_whole_file_is_not_kept(access, store, host, answer, error, why):
    host.files["/a.png"] = answer
    with pytest.raises(error, match=why):
        get(access, store, host, size_mib=1)
    assert left(store) == []


def test_a_file_that_comes_to_a_halt_is_told_how_far_it_came(access, store, host, monkeypatch):
    def halting(call: Call) -> None:
        call.start(Content_Length=1000)
        call.send(b"x" * 10)
        sleep(2)

    monkeypatch.setattr("sync.api.transport.READ_S", 0.5)
    host.files["/a.png"] = halting
    with pytest.raises(Unavailable, match="only 10 of 1000 bytes came, and then no more in time"):
        get(access, store, host)
    assert left(store) == []


@pytest.mark.parametrize("pause_s", [0, 0.2])
def test_what_comes_beyond_the_told_length_gets_into_no_other_file(patient, store, host, pause_s):
    def too_long(call: Call) -> None:
        call.start(Content_Length=1000)
        call.send(LARGE[:1000])
        sleep(pause_s)
        call.send(LARGE[1000:5000])

    host.files["/a.png"] = in_turn(too_long, cut_at(LARGE, []))
    assert get(patient, store, host) == LARGE[:1000]
    assert get(patient, store, host) == LARGE


PAGE_TEXT = b"\n<!DOCTYPE html><html><body>Log in first</body></html>"


@pytest.mark.parametrize("mime_type", ["image/png", "text/plain", "application/octet-stream"])
def test_a_page_is_no_picture_whatever_it_says_it_is(access, store, host, mime_type):
    host.files["/a.png"] = says(PAGE_TEXT, mime_type)
    with pytest.raises(BadAnswer, match="a web page came"):
        get(access, store, host)
    assert left(store) == []


def test_a_text_may_begin_as_a_page_does(access, store, host):
    host.files["/a.txt"] = says(PAGE_TEXT, "text/plain")
    ref = FileRef(f"{host.url}/a.txt", f"{host.url}/a.txt")
    with store.receive() as incoming:
        assert download(access, ref, incoming, "", FileLimits()) == "text/plain"


def drip(call: Call) -> None:
    call.start(Content_Length=10**6)
    for _ in range(100):
        call.send(b" ")
        sleep(0.02)


def test_an_answer_that_drips_is_given_up_in_time(access, host, monkeypatch):
    monkeypatch.setattr("sync.api.stream._ANSWER_S", 0.1)
    host.files["/api/v2/User/t"] = drip
    with pytest.raises(Unavailable, match=r"was not here after 0\.1 seconds"):
        access.transport.call(Route("GET", "/api/v2/User/{token}"), {"token": "t"})


def test_a_file_that_drips_is_given_up_in_time(access, store, host):
    host.files["/a.png"] = drip
    with pytest.raises(BadAnswer, match="was not here in time"):
        get(access, store, host, time_s=0.1)
    assert left(store) == []


def unsized(data: bytes):
    def answer(call: Call) -> None:
        call.start(Connection="close", ETag='"1"')
        call.send(data)
        call.hang_up()

    return answer


def test_a_file_without_a_length_is_whole_if_it_comes_twice_alike(patient, store, host):
    cut, whole = unsized(LARGE[: CHUNK_BYTES * 2]), unsized(LARGE)
    host.files["/a.png"] = in_turn(cut, whole)
    assert get(patient, store, host) == LARGE
    assert host.asked == ["/a.png"] * 3
    assert not [each for each in host.headers if each.startswith("Range")]


def test_a_file_without_a_length_that_ends_elsewhere_each_time_is_not_kept(access, store, host):
    parts = (unsized(LARGE[:cut]) for cut in (3000, 4000, 2000))
    host.files["/a.png"] = in_turn(*parts)
    with pytest.raises(Unavailable, match="where the file ends is not told"):
        get(access, store, host)
    assert left(store) == []


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


def says(body: bytes, kind: str, status: int = 200, **headers):
    def answer(call: Call) -> None:
        call.start(status, Content_Length=len(body), Content_Type=kind, **headers)
        call.send(body)

    return answer


PAGE = b"<!doctype html><title>Maintenance</title>"
ENVELOPE = b'{"requestID": 1, "resultCode": -601, "resultMessage": "Asset not found"}'
ON_BACKEND = {
    "asset/a.png": "/api/v2/Asset/a.png/s3ss10n",
    "asset/a.json": "/api/v2/Asset/a.json/s3ss10n",
    "memoriai/memori/cover/E-1": "/api/v1/memoriai/memori/cover/E-1",
    "guid/0f": "/api/v1/GuidAsset/0f",
}


@pytest.mark.parametrize("more", [0, 100_000])
@pytest.mark.parametrize("key", ON_BACKEND)
def test_a_page_of_any_length_is_no_file_unless_the_name_says_so(access, store, host, key, more):
    host.files[ON_BACKEND[key]] = says(PAGE + b" " * more, "text/html; charset=utf-8")
    with pytest.raises(BadAnswer):
        get_key(access, store, key)
    assert left(store) == []


@pytest.mark.parametrize("key", [key for key in ON_BACKEND if "json" not in key])
def test_json_of_any_length_is_no_picture(access, store, host, key):
    body = b'{"message": "' + b"x" * 100_000 + b'"}'
    host.files[ON_BACKEND[key]] = says(body, "application/json")
    with pytest.raises(BadAnswer):
        get_key(access, store, key)
    assert left(store) == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.html", "text/html"),
        ("a.HTM", "text/html"),
        ("a.json", "application/json"),
        ("a.gltf", "application/json"),
        ("a.geojson", "application/json"),
        ("a.webmanifest", "application/json"),
        ("a.js.map", "application/json"),
        ("a.html", "application/octet-stream"),
    ],
)
def test_a_page_or_json_is_a_file_where_the_name_says_so(access, store, host, name, kind):
    body = b'{"resultCode": 0}' if "json" in kind else PAGE * 9000
    host.files[f"/api/v2/Asset/{name}/s3ss10n"] = says(body, kind)
    assert get_key(access, store, f"asset/{name}") == body


def in_chunks(body: bytes, first: int, status: int = 200):
    def answer(call: Call) -> None:
        kind = "application/octet-stream"
        call.start(status, Transfer_Encoding="chunked", Content_Type=kind)
        for part in (body[:first], body[first:]):
            call.send(b"%x\r\n%b\r\n" % (len(part), part))
            sleep(0.02)
        call.send(b"0\r\n\r\n")

    return answer


@pytest.mark.parametrize("key", ON_BACKEND)
def test_an_answer_about_a_file_is_no_file_however_it_is_cut_in_chunks(access, store, host, key):
    alive(host).files[ON_BACKEND[key]] = in_chunks(ENVELOPE, 20)
    with pytest.raises(NotFound):
        get_key(access, store, key)
    assert left(store) == []


def test_a_dead_session_that_is_told_in_chunks_is_renewed(access, store, host):
    gone = b'{"resultCode": 404, "resultMessage": "Session with ID \\"dead\\" not found"}'
    host.files["/api/v2/Asset/a.png/dead"] = in_chunks(gone, 20, 404)
    host.files["/api/v2/Asset/a.png/alive"] = LARGE
    sessions = iter(("dead", "alive"))
    assert get_key(
        Access(access.transport, "session", lambda: next(sessions)), store, "asset/a.png"
    )
    assert [each.rpartition("/")[2] for each in host.asked] == ["dead", "alive"]


@pytest.mark.parametrize("key", [*ON_BACKEND, ""])
def test_an_empty_body_is_no_file(access, store, host, key):
    host.files[ON_BACKEND.get(key, "/a.png")] = b""
    with pytest.raises(BadAnswer, match="empty"):
        get_key(access, store, key or f"{host.url}/a.png", f"{host.url}/a.png" * (not key))
    assert left(store) == []


def test_problem_details_with_404_mean_that_a_file_is_not_there(access, store, host):
    body = b'{"title": "Not Found", "status": 404}'
    problem = says(body, "application/problem+json", 404)
    alive(host).files[ON_BACKEND["asset/a.png"]] = problem
    with pytest.raises(NotFound):
        get_key(access, store, "asset/a.png")


def test_a_host_that_is_busy_is_asked_again_even_if_it_says_so_compressed(patient, store, host):
    busy = says(gzip.compress(b"<p>busy"), "text/html", 503, Content_Encoding="gzip")
    host.files["/a.png"] = in_turn(busy, cut_at(LARGE, []))
    assert get(patient, store, host) == LARGE


@pytest.mark.parametrize(
    "no", [says(b"not found", "text/html", 404), says(b"", "image/png"), redirect("http://[")]
)
def test_whatever_keeps_the_backend_from_giving_an_asset_its_own_url_is_tried(
    access, store, host, no
):
    with FileHost() as other:
        other.files["/a.png"] = LARGE
        alive(host).files[ON_BACKEND["asset/a.png"]] = no
        assert get_key(access, store, "asset/a.png", f"{other.url}/a.png") == LARGE


def test_an_own_url_that_has_nothing_either_does_not_make_a_page_mean_missing(access, store, host):
    with FileHost() as other:
        host.files[ON_BACKEND["asset/a.png"]] = says(PAGE, "text/html", 404)
        with pytest.raises(BadAnswer, match="no AIsuru answer"):
            get_key(access, store, "asset/a.png", f"{other.url}/a.png")


def test_bytes_of_two_hosts_are_never_joined_even_if_they_call_their_versions_alike(
    access, store, host
):
    with FileHost() as other:
        other.files["/a.png"] = cut_at(LARGE[::-1], [])
        gone = says(b"", "text/plain", 404)
        cut = cut_at(LARGE, [CHUNK_BYTES])
        alive(host).files[ON_BACKEND["asset/a.png"]] = in_turn(cut, gone)
        assert get_key(access, store, "asset/a.png", f"{other.url}/a.png") == LARGE[::-1]


@pytest.mark.parametrize("code", [-13, -101, 403])
def test_what_another_host_says_of_an_account_or_session_is_not_about_ours(
    access, store, host, code
):
    body = b'{"resultCode": %d, "resultMessage": "no"}' % code
    with FileHost() as other:
        host.files["/a.png"] = other.files["/a.png"] = says(body, "application/json")
        host.files[ON_BACKEND["asset/a.png"]] = redirect(f"{other.url}/a.png")
        with pytest.raises(BadAnswer):
            get(access, store, host)
        with pytest.raises(BadAnswer):
            get_key(access, store, "asset/a.png", origins=frozenset({other.url}))


def test_the_body_of_a_redirect_is_not_even_read(access, store, host):
    def far(call: Call) -> None:
        call.start(302, Location="/b.png", Transfer_Encoding="chunked", Content_Encoding="gzip")
        for _ in count():
            call.send(b"10000\r\n" + bytes(0x10000) + b"\r\n")

    host.files |= {"/a.png": far, "/b.png": LARGE}
    assert get(access, store, host, origins=frozenset({host.url})) == LARGE


@pytest.mark.parametrize("location", ["http://[", "http://a:b/", "http://\xff/", "", "//"])
def test_a_call_that_is_redirected_to_nowhere_has_a_bad_answer(access, host, location):
    host.files["/api/v2/User/t"] = redirect(location)
    with pytest.raises(BadAnswer):
        access.transport.call(Route("GET", "/api/v2/User/{token}"), {"token": "t"})
