"""The transport: what is repeated and what is not, and that no error tells a secret."""

import socket
import threading
import time

import pytest
import requests
import responses
import urllib3
from file_host import Call
from responses import matchers

from sync.api.path import fill, name_of
from sync.api.stream import Ask
from sync.api.transport import Transport
from sync.errors import (
    AccessDenied,
    AccountRefused,
    BadAnswer,
    CredentialGone,
    Interrupted,
    NotFound,
    Refused,
    SyncError,
    Unavailable,
)
from sync.kind import Route
from sync.redact import Redactor
from sync.stop import Stop

SESSION = "5e551000-0000-4000-8000-0000000000aa"
LIST = Route("GET", "/memori/v2/People/{session}/{from}/{howMany}", "people")
ADD = Route("POST", "/memori/v2/Person/{session}", "personID")
ASSET = Route("GET", "/api/v2/Asset/{file}/{session}")
PATH = {"session": SESSION, "from": 0, "howMany": 10}
URL = f"https://engine.example/memori/v2/People/{SESSION}/0/10"
ADD_URL = f"https://engine.example/memori/v2/Person/{SESSION}"
ASSET_PATH = f"/api/v2/Asset/a.png/{SESSION}"
OK = {"resultCode": 0, "resultMessage": "Ok"}


@pytest.fixture
def stop():
    return Stop()


@pytest.fixture
def transport(stop):
    made = Transport(
        "https://engine.example/memori/v2",
        "https://backend.example",
        redactor=Redactor(),
        stop=stop,
        retry_s=5,
    )
    made.redactor.learn(SESSION)
    yield made
    made.close()


@pytest.fixture
def remote(monkeypatch):
    """A remote made of canned answers; pauses between tries take no time."""
    monkeypatch.setattr("sync.api.transport._growing", lambda _: 0.0)
    with responses.RequestsMock() as remote:
        yield remote


def test_an_answer_is_the_envelope(transport, remote):
    remote.get(URL, json={**OK, "people": []})
    assert transport.call(LIST, PATH)["people"] == []


def test_documents_are_sent_as_canonical_json(transport, remote):
    body = [matchers.json_params_matcher({"name": "è", "n": 10**30})]
    remote.post(ADD_URL, json={**OK, "personID": "1"}, match=body)
    transport.call(ADD, PATH, {"name": "è", "n": 10**30})


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (200, {"resultCode": 404, "resultMessage": "Person not found"}, NotFound),
        (404, {"resultCode": 404, "resultMessage": f'Session with ID "{SESSION}" not found'},
         CredentialGone),
        (200, {"resultCode": -101}, CredentialGone),
        (200, {"resultCode": -103}, CredentialGone),
        (200, {"resultCode": -263}, CredentialGone),
        (403, {"resultCode": 403}, AccessDenied),
        (200, {"resultCode": -13}, AccountRefused),
        (200, {"resultCode": -38}, AccountRefused),
        (200, {"resultCode": -601}, NotFound),
        (422, {"resultCode": 422}, Refused),
        (200, {"resultCode": True}, BadAnswer),
        (200, {"resultCode": "0"}, BadAnswer),
        (200, [], BadAnswer),
        (302, {}, BadAnswer),
    ],
)  # fmt: skip
def test_the_result_code_decides_whatever_the_http_status(transport, remote, status, body, error):
    headers = {"Location": "https://evil.example/"} if status == 302 else {}
    remote.get(URL, status=status, json=body, headers=headers)
    with pytest.raises(error) as raised:
        transport.call(LIST, PATH)
    assert SESSION not in str(raised.value)
    assert len(remote.calls) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_read_is_repeated_while_the_remote_is_unavailable(transport, remote, status):
    remote.get(URL, status=status, body="<html>later</html>")
    remote.get(URL, status=200, json={"resultCode": 500})
    remote.get(URL, body=requests.ConnectionError(f"Max retries exceeded with url: {URL}"))
    remote.get(URL, body=requests.ReadTimeout())
    remote.get(URL, json={**OK, "people": []})
    transport.call(LIST, PATH)
    assert len(remote.calls) == 5


@pytest.mark.parametrize(
    "trouble", [{"status": 500, "body": ""}, {"body": requests.ReadTimeout()}, {"status": 503}]
)
def test_a_post_is_never_repeated_if_it_may_have_been_carried_out(transport, remote, trouble):
    remote.post(ADD_URL, **trouble)
    with pytest.raises(Unavailable):
        transport.call(ADD, PATH, {})
    assert len(remote.calls) == 1


@pytest.mark.parametrize("trouble", [{"status": 429}, {"body": requests.ConnectTimeout()}])
def test_a_post_that_surely_was_not_carried_out_is_repeated(transport, remote, trouble):
    remote.post(ADD_URL, **trouble)
    remote.post(ADD_URL, json={**OK, "personID": "1"})
    assert transport.call(ADD, PATH, {})["personID"] == "1"


def test_a_longer_pause_that_the_remote_asks_for_is_kept(transport, remote):
    remote.get(URL, status=429, headers={"Retry-After": "0.2"})
    remote.get(URL, json={**OK, "people": []})
    started = time.monotonic()
    transport.call(LIST, PATH)
    assert time.monotonic() - started >= 0.2


def test_a_pause_beyond_the_patience_ends_the_call_at_once(transport, remote):
    remote.get(URL, status=429, headers={"Retry-After": "3600"})
    with pytest.raises(Unavailable):
        transport.call(LIST, PATH)
    assert len(remote.calls) == 1


def test_a_stop_ends_a_long_pause(remote, stop):
    transport = Transport(
        "https://engine.example", "https://backend.example",
        redactor=Redactor(), stop=stop, retry_s=7200,
    )  # fmt: skip
    remote.get(URL, status=429, headers={"Retry-After": "3600"})
    threading.Timer(0.05, stop.event.set).start()
    with pytest.raises(Interrupted):
        transport.call(LIST, PATH)
    with pytest.raises(Interrupted):
        transport.call(LIST, PATH)
    assert len(remote.calls) == 1
    transport.close()


def test_a_farewell_goes_out_even_after_a_stop(transport, remote, stop):
    stop.event.set()
    remote.get(URL, json=OK)
    transport.call(LIST, PATH, parting=True)


@pytest.mark.parametrize(
    "trouble",
    [
        requests.ConnectionError(f"Max retries exceeded with url: {URL}"),
        requests.exceptions.SSLError(f"bad certificate for {URL}"),
        requests.exceptions.InvalidSchema(f"No connection adapters were found for {URL}"),
        requests.exceptions.ChunkedEncodingError(URL),
        requests.exceptions.InvalidHeader(URL),
    ],
)
def test_no_error_of_the_library_tells_the_url(remote, stop, trouble):
    transport = Transport(
        "https://engine.example", "https://backend.example",
        redactor=Redactor(), stop=stop, retry_s=0,
    )  # fmt: skip
    remote.get(URL, body=trouble)
    with pytest.raises(SyncError) as raised:
        transport.call(LIST, PATH)
    error = raised.value
    assert SESSION not in f"{error} {error.hint}"
    assert error.__suppress_context__
    assert LIST.template in str(error)
    transport.close()


def test_a_host_that_nobody_listens_on_is_unavailable_and_was_not_reached(stop):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    transport = Transport(
        f"http://127.0.0.1:{port}", f"http://127.0.0.1:{port}",
        redactor=Redactor(), stop=stop, retry_s=0,
    )  # fmt: skip
    with pytest.raises(Unavailable, match="cannot connect") as raised:
        transport.call(ADD, PATH, {})
    assert not raised.value.carried_out
    transport.close()


def test_a_host_whose_name_means_nothing_was_not_reached_either(stop, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    transport = Transport(
        "https://nowhere.example", "https://nowhere.example",
        redactor=Redactor(), stop=stop, retry_s=0,
    )  # fmt: skip
    with pytest.raises(Unavailable, match="cannot connect") as raised:
        transport.call(ADD, PATH, {})
    assert not raised.value.carried_out
    transport.close()


@pytest.fixture
def files(host, stop):
    """A transport to a host of files, which is the Backend as well."""
    made = Transport(host.url, host.url, redactor=Redactor(), stop=stop, retry_s=0)
    yield made
    made.close()


def test_a_file_comes_in_chunks_with_what_the_remote_says_of_it(files, host):
    def answer(call: Call) -> None:
        call.start(Content_Length=600_000, Content_Type="image/png; q=1", ETag='"1"')
        call.send(b"x" * 600_000)

    host.files[ASSET_PATH] = answer
    with files.stream(ASSET, {"file": "a.png", "session": SESSION}, "a.png", Ask(), {}) as body:
        assert body is not None
        assert (body.mime_type, body.etag) == ("image/png", '"1"')
        chunks = list(body.chunks)
    assert b"".join(chunks) == b"x" * 600_000
    assert len(chunks) > 1


def test_files_come_one_after_another_over_one_connection(files, host):
    ports = set()

    def answer(call: Call) -> None:
        ports.add(call.port)
        call.start(Content_Length=5)
        call.send(b"x" * 5)

    host.files["/a.png"] = answer
    for _ in range(3):
        with files.stream(Route("GET", f"{host.url}/a.png"), {}, "a.png", Ask(), {}) as body:
            assert b"".join(body.chunks) == b"x" * 5
    assert len(ports) == 1


def test_a_file_that_has_not_changed_is_not_sent_again(files, host):
    host.files[ASSET_PATH] = lambda call: call.start(304)
    with files.stream(
        ASSET, {"file": "a.png", "session": SESSION}, "a.png", Ask('"1"'), {}
    ) as body:
        assert body is None
    assert 'If-None-Match: "1"' in host.headers


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (404, "gone", NotFound),
        (404, "<html>maintenance", BadAnswer),
        (304, "", BadAnswer),
        (200, '{"requestID": 1, "resultCode": -601}', NotFound),
        (200, '{"requestID": 1, "resultCode": -602}', Refused),
        (503, "later", Unavailable),
        (302, "", BadAnswer),
        (403, "<html>", BadAnswer),
    ],
)
def test_an_answer_about_a_file_is_no_file(files, host, status, body, error):
    kind = {"{": "application/json", "<": "text/html"}.get(body[:1], "text/plain")

    def answer(call: Call) -> None:
        more = {"Content_Length": len(body), "Location": "https://evil.example/"}
        call.start(status, Content_Type=kind, **more)
        call.send(body.encode())

    host.files[ASSET_PATH] = answer
    with (
        pytest.raises(error),
        files.stream(ASSET, {"file": "a.png", "session": SESSION}, "a.png", Ask(), {}),
    ):
        pass


def test_a_file_elsewhere_is_asked_for_without_any_credential(files, host):
    host.files["/a.png"] = b"x"
    route = Route("GET", f"{host.url}/a.png")
    with files.stream(route, {"session": SESSION}, "a.png", Ask(), {}):
        pass
    assert SESSION not in f"{host.asked} {host.headers}"


@pytest.mark.parametrize(
    ("scheme", "error", "why"),
    [("http", Unavailable, "cannot connect"), ("https", BadAnswer, "certificate")],
)
def test_no_error_about_a_file_tells_its_url(files, host, scheme, error, why):
    place = host.url.replace("http", scheme)
    if scheme == "http":
        with socket.create_server(("127.0.0.1", 0)) as server:
            place = f"http://127.0.0.1:{server.getsockname()[1]}"
    route = Route("GET", f"{place}/a.png?key={SESSION}")
    with pytest.raises(error, match=why) as raised, files.stream(route, {}, "a.png", Ask(), {}):
        pass
    assert SESSION not in str(raised.value)
    assert raised.value.__suppress_context__


def test_a_file_beyond_a_proxy_is_asked_for_through_it(host, stop, monkeypatch):
    for name in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(name, host.url)
    files = Transport(host.url, host.url, redactor=Redactor(), stop=stop, retry_s=0)
    route = Route("GET", "https://files.example/a.png")
    # This proxy knows no CONNECT; without it the name would mean nothing.
    with (
        pytest.raises(Unavailable, match="broke"),
        files.stream(route, {}, "a.png", Ask(), {}),
    ):
        pass
    files.close()


def test_path_parameters_are_encoded_and_only_optional_ones_may_be_missing():
    assert fill(Route("GET", "/a/{key}"), {"key": "x/y ?è"}) == "/a/x%2Fy%20%3F%C3%A8"
    optional = Route("POST", "/a/{one}/{two}", optional=frozenset({"two"}))
    assert fill(optional, {"one": 1, "two": ""}) == "/a/1"
    for missing in ({}, {"two": 2}):
        with pytest.raises(BadAnswer, match="without one"):
            fill(optional, missing)


@pytest.mark.parametrize("key", [".", ".."])
def test_a_key_that_would_climb_the_path_is_refused(key):
    with pytest.raises(BadAnswer):
        fill(Route("GET", "/a/{key}"), {"key": key})


def test_calls_are_named_by_their_template_and_urls_by_their_host():
    assert name_of(ASSET) == "GET /api/v2/Asset/{file}/{session}"
    assert name_of(Route("GET", "https://assets.example/a/b.png?x=y")) == "GET assets.example"


def test_cookies_are_not_kept(transport, remote):
    remote.get(URL, json=OK, headers={"Set-Cookie": "a=b"})
    remote.get(URL, json=OK)
    transport.call(LIST, PATH)
    transport.call(LIST, PATH)
    assert "Cookie" not in remote.calls[1].request.headers


def test_this_machine_is_never_reached_through_a_proxy_and_others_as_the_environment_says(
    monkeypatch, stop
):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "backend.example")
    monkeypatch.setenv("no_proxy", "backend.example")
    transport = Transport("https://a.example", "https://b.example", redactor=Redactor(), stop=stop)
    assert transport._proxies_for("http://127.0.0.1:8600") == {}
    assert transport._proxies_for("https://backend.example") == {}
    assert transport._proxies_for("https://a.example")["https"] == "http://proxy.example:3128"
    transport.close()


def test_urllib3_is_the_real_one():
    # Packages exist that put another library in its place without a word.
    assert int(urllib3.__version__.split(".")[0]) == 2
    assert int(urllib3.__version__.split(".")[-1]) < 900
