"""What a URL in a document means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import UsageError
from sync.link import FileRef, file_ref, file_refs, mentions_files, move_assets, origin_of

ORIGINS = frozenset({"https://assets.memori.ai", "https://backend.memori.ai"})
ID = "0f0f0f0f-aaaa-4bbb-8ccc-000000000001"


@pytest.mark.parametrize(
    "url",
    [
        f"https://elsewhere.example/api/v1/asset/{ID}.png",
        f"/api/v2/asset/{ID}.png",
        f" https://elsewhere.example/api/v2/asset/{ID}.png\n",
        f"https://elsewhere.example/api/v2/asset/{ID}.png/",
        f"https://elsewhere.example/api/v2/asset/{ID}.png/~0123456789abcdef",
        f"https://elsewhere.example/api/v2/asset/{ID}.png#1700000000000",
        f"https://elsewhere.example/api/v2/asset/{ID}.png?x=1",
        f"https://elsewhere.example/api/v2/asset/{ID}@32x32.png",
        f"https://elsewhere.example/api/v2/asset/{ID}@favicon.png",
        f"HTTP://Elsewhere.Example/API/V2/Asset/{ID}.png",
    ],
)
def test_every_form_of_an_asset_url_means_the_same_file(url: str):
    ref = file_ref(url, ORIGINS)
    assert ref == FileRef(f"asset/{ID}.png", "")
    assert (ref.asset_file, ref.legacy_path, ref.is_final) == (f"{ID}.png", "", True)


def test_an_asset_on_a_configured_origin_may_be_there_if_the_backend_does_not_have_it():
    url = f"HTTPS://Assets.Memori.AI/api/v2/asset/{ID}@32x32.png/~0123456789abcdef?x=1"
    clean = f"https://assets.memori.ai/api/v2/asset/{ID}.png"
    assert file_ref(url, ORIGINS) == FileRef(f"asset/{ID}.png", clean)


@pytest.mark.parametrize(
    ("url", "key", "path"),
    [
        (f"cloud://twin.memori.ai/{ID}.png", f"cloud/twin.memori.ai/{ID}.png", "CloudAsset"),
        (f"\tCLOUD://twin/a/{ID}@32x32.png/\n", f"cloud/twin/a/{ID}.png", "CloudAsset"),
        (f"guid://{ID}", f"guid/{ID}", "GuidAsset"),
        (f"guid://{ID}#1700000000000", f"guid/{ID}", "GuidAsset"),
        (
            f"/api/v1/memoriai/memory/media/cloud/twin/{ID}.png",
            f"memoriai/memory/media/cloud/twin/{ID}.png",
            "memoriai",
        ),
        (
            f"https://x/API/v1/Memoriai/Memory/M-1/media/cloud/twin/{ID}.png?memori-ai-session-id=x",
            f"memoriai/memory/M-1/media/cloud/twin/{ID}.png",
            "memoriai",
        ),
        ("/api/v1/memoriai/memori/cover/E-1/", "memoriai/memori/cover/E-1", "memoriai"),
        (
            "https://x/api/v1/memoriai/memori/Avatar/E-1",
            "memoriai/memori/avatar/E-1",
            "memoriai",
        ),
    ],
)
def test_legacy_forms_lead_to_the_backend(url: str, key: str, path: str):
    ref = file_ref(url, ())
    assert ref == FileRef(key, "")
    assert ref.legacy_path == f"/api/v1/{path}/{key.partition('/')[2]}"
    assert ref.is_final == ("memori/" not in key)


def test_another_url_on_a_configured_origin_is_a_file_without_its_dirt():
    ref = file_ref("https://ASSETS.memori.ai/covers/a.jpg?v=3#top", ORIGINS)
    url = "https://assets.memori.ai/covers/a.jpg"
    assert ref == FileRef(f"{url}?v=3", f"{url}?v=3")
    assert (ref.asset_file, ref.file_name) == ("", "a.jpg")


def test_urls_that_differ_only_in_their_query_are_two_files_but_a_session_is_none_of_it():
    page = "https://assets.memori.ai/i"
    keys = [
        file_ref(f"{page}?{query}", ORIGINS).key
        for query in ("id=1", "id=2", "Memori-AI-session-id=x&id=1", "id=2&memori-ai-session-id=y")
    ]
    assert keys == [f"{page}?id=1", f"{page}?id=2"] * 2


def test_a_url_of_any_length_is_a_file_with_a_key_of_its_own():
    signed = "https://assets.memori.ai/covers/a.jpg?signature=" + "è" * 3000
    one, other = (file_ref(signed + end, ORIGINS) for end in "12")
    assert (one.url, other.url) == (f"{signed}1", f"{signed}2")
    assert one.key != other.key
    assert len(one.key.encode()) < 2000
    assert one.file_name == "a.jpg"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("Screenshot%20at%203.45%E2%80%AFPM.png", "Screenshot at 3.45\u202fPM.png"),
        ("Screenshot at 3.45\u202fPM.png", "Screenshot at 3.45\u202fPM.png"),
        ("👩\u200d🚀.png", "👩\u200d🚀.png"),
        ("x" * 600 + ".png", "x" * 600 + ".png"),
    ],
)
def test_an_asset_is_fetched_however_odd_or_long_its_name_is(written: str, name: str):
    url = f"https://assets.memori.ai/api/v2/asset/{written}"
    assert file_ref(url, ORIGINS) == FileRef(f"asset/{name}", url)


def test_an_escaped_name_inside_a_text_is_found_and_moved_as_a_whole():
    text = "<img src='//b.example/api/v2/asset/at%203.45%E2%80%AFPM.png'>."
    (ref,) = file_refs({"text": text}, (), ORIGINS)
    assert ref.key == "asset/at 3.45\u202fPM.png"
    assert move_assets(text, {ref.key: "https://c/new.png"}) == "<img src='https://c/new.png'>."


@pytest.mark.parametrize("slash", ["/", "\\/", "\\\\\\/"])
def test_a_url_in_json_with_escaped_slashes_is_found_and_stays_spelled_so(slash: str):
    url = "https://b.example/api/v2/asset/a@512x512.png".replace("/", slash)
    text = f'{{"logo":"{url}{slash}~0123456789abcdef","old":"cloud:{slash}{slash}x.png"}}'
    refs = {ref.key for ref in file_refs({"customData": text}, (), ORIGINS)}
    assert refs == {"asset/a.png", "cloud/x.png"}
    assert mentions_files({"customData": text})
    new = "https://c.example/api/v2/asset/n@512x512.png".replace("/", slash)
    moved = move_assets(text, {"asset/a.png": "https://c.example/api/v2/asset/n.png"})
    assert moved == f'{{"logo":"{new}","old":"cloud:{slash}{slash}x.png"}}'
    assert move_assets(text, {}) == text.replace(f"{slash}~0123456789abcdef", "")


@pytest.mark.parametrize("port", ["", ":", ":443", ":0443"])
def test_the_usual_port_goes_without_saying(port: str):
    configured = {origin_of("https://assets.memori.ai:443/")}
    url = "https://assets.memori.ai/covers/a.jpg"
    found = file_ref(f"https://assets.memori.ai{port}/covers/a.jpg", configured)
    assert found == FileRef(url, url)
    assert origin_of(f"https://[2001:db8::443]{port}") == "https://[2001:db8::443]"
    assert origin_of("http://127.0.0.1:80") == "http://127.0.0.1"
    assert origin_of("http://127.0.0.1:443") == "http://127.0.0.1:443"


def test_a_url_without_a_scheme_is_one_of_https():
    asset = f"https://assets.memori.ai/api/v2/asset/{ID}.png"
    assert file_ref(asset.removeprefix("https:"), ORIGINS) == FileRef(f"asset/{ID}.png", asset)
    assert file_ref("//elsewhere.example/a.png", ORIGINS) is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "  ",
        "rgb(255, 0, 0)",
        "https://example.org/page.html",
        "http://assets.memori.ai/covers/a.jpg",
        "https://assets.memori.ai.evil.example/covers/a.jpg",
        "https://assets.memori.ai@evil.example/covers/a.jpg",
        "https://assets.memori.ai/",
        "file:///etc/passwd",
        f"file:///api/v2/asset/{ID}.png",
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:8600/x.png",
        "http://[::1",
        "https://assets.memori.ai/api/v2/asset/..",
        "https://assets.memori.ai/api/v2/asset/a\ud800.png",
        "https://assets.memori.ai/covers/a\x00.jpg",
        "https://assets.memori.ai/covers/a.jpg?v=\x00",
        "https://assets.memori.ai/covers/a.jpg?v=\ud800",
        "https://assets.memori.ai/api/v2/asset/a%00.png",
        "https://me@assets.memori.ai/covers/a.jpg",
        "https://assets.memori.ai:8443/covers/a.jpg",
        f"https://assets.memori.ai/api/v2/asset/{'x' * 3000}.png",
        "javascript:alert(1)",
        "cloud://",
        "guid://",
        "cloud://twin/../../api/v2/Login",
        "cloud://twin/%2e%2e/secret",
        "cloud://twin/a%2fb.png",
        "cloud://{session}/a.png",
        "/api/v1/memoriai/memory/media/cloud/",
        "/api/v1/memoriai/memori/cover/",
        "data:image/png;base64,iVBORw0KGgo=",
    ],
)
def test_anything_else_is_a_link_and_never_fetched(url: str):
    assert file_ref(url, ORIGINS) is None


@given(st.text())
def test_no_text_breaks_the_rule(url: str):
    file_ref(url, ORIGINS)


def test_a_document_refers_to_its_url_fields_and_to_asset_urls_inside_texts():
    document = {
        "url": "https://assets.memori.ai/covers/a.jpg",
        "answers": [{"text": f'<img src="https://x.example/api/v2/Asset/{ID}.png">.'}],
        "properties": {"thumb": f"https://assets.memori.ai/api/v2/asset/{ID[:-1]}2.png."},
        "other": "https://assets.memori.ai/covers/not-a-field.jpg",
    }
    assert {each.key for each in file_refs(document, ("url",), ORIGINS)} == {
        "https://assets.memori.ai/covers/a.jpg",
        f"asset/{ID}.png",
        f"asset/{ID[:-1]}2.png",
    }


@pytest.mark.parametrize(
    ("text", "key"),
    [
        (f"See cloud://twin/{ID}.png.", f"cloud/twin/{ID}.png"),
        (f'<img src="guid://{ID}">', f"guid/{ID}"),
        (
            f"(/api/v1/memoriai/memory/media/cloud/t/{ID}.png)",
            f"memoriai/memory/media/cloud/t/{ID}.png",
        ),
        ("![](https://b.example/api/v1/memoriai/memori/cover/E-1)", "memoriai/memori/cover/E-1"),
        (f"/api/v2/asset/a%20{ID}.png", f"asset/a {ID}.png"),
        ("icloud://twin/a.png and cloud:// alone", None),
    ],
)
def test_legacy_urls_are_found_inside_texts(text: str, key: str | None):
    refs = file_refs({"answers": [{"text": text}]}, ("url",), ORIGINS)
    assert [each.key for each in refs] == ([key] if key else [])


def test_a_page_is_a_link_unless_it_was_uploaded():
    page = {"mimeType": "text/html", "url": "https://assets.memori.ai/about.html"}
    assert file_refs(page, ("url",), ORIGINS) == set()
    uploaded = page | {"url": f"https://assets.memori.ai/api/v2/asset/{ID}.html"}
    assert [each.key for each in file_refs(uploaded, ("url",), ORIGINS)] == [f"asset/{ID}.html"]


def test_a_name_with_a_blank_is_one_file_and_not_two():
    document = {"url": "https://x.example/api/v2/asset/a b.png"}
    assert [each.key for each in file_refs(document, ("url",), ())] == ["asset/a b.png"]


def test_a_name_is_one_file_however_it_is_encoded_and_only_known_sizes_are_cut_off():
    asset = "https://assets.memori.ai/api/v2/asset/"
    assert file_ref(f"{asset}a%20b.png", ()) == file_ref(f"{asset}a b.png", ())
    assert file_ref(f"{asset}photo@home.png", ()).asset_file == "photo@home.png"


def test_users_paste_any_url_of_a_service():
    assert origin_of("https://engine.memori.ai/memori/v2") == "https://engine.memori.ai"
    assert origin_of("http://127.0.0.1:8600/") == "http://127.0.0.1:8600"
    assert origin_of("https://Host.example") == "https://host.example"


@pytest.mark.parametrize(
    "url",
    ["", "engine.memori.ai", "ftp://host", "http://engine.memori.ai", "https://[x", "https://a:b"],
)
def test_a_url_that_is_none_or_would_send_secrets_unprotected_is_refused(url: str):
    with pytest.raises(UsageError):
        origin_of(url)


@pytest.mark.parametrize(
    "url",
    ["http://me:s3cret@host.example", "ftp://me:s3cret@host", "https://me:s3cret@host.example"],
)
def test_a_password_in_a_refused_url_is_not_repeated(url: str):
    with pytest.raises(UsageError) as raised:
        origin_of(url)
    assert "s3cret" not in str(raised.value)
