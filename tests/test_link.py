"""What a URL in a document means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import UsageError
from sync.link import FileRef, file_ref, file_refs, origin_of

ORIGINS = frozenset({"https://assets.memori.ai", "https://backend.memori.ai"})
ID = "0f0f0f0f-aaaa-4bbb-8ccc-000000000001"


@pytest.mark.parametrize(
    "url",
    [
        f"https://assets.memori.ai/api/v2/asset/{ID}.png",
        f"HTTPS://Assets.Memori.AI/API/V2/Asset/{ID}.png",
        f"https://elsewhere.example/api/v1/asset/{ID}.png",
        f"/api/v2/asset/{ID}.png",
        f" https://assets.memori.ai/api/v2/asset/{ID}.png\n",
        f"https://assets.memori.ai/api/v2/asset/{ID}.png/",
        f"https://assets.memori.ai/api/v2/asset/{ID}.png/~0123456789abcdef",
        f"https://assets.memori.ai/api/v2/asset/{ID}.png#1700000000000",
        f"https://assets.memori.ai/api/v2/asset/{ID}.png?x=1",
        f"https://assets.memori.ai/api/v2/asset/{ID}@32x32.png",
        f"https://assets.memori.ai/api/v2/asset/{ID}@favicon.png",
    ],
)
def test_every_form_of_an_asset_url_means_the_same_file(url: str):
    ref = file_ref(url, ORIGINS)
    assert ref == FileRef(f"asset/{ID}.png", "")
    assert ref.asset_file == f"{ID}.png"


def test_another_url_on_a_configured_origin_is_a_file_without_its_dirt():
    ref = file_ref("https://ASSETS.memori.ai/covers/a.jpg?v=3#top", ORIGINS)
    url = "https://assets.memori.ai/covers/a.jpg"
    assert ref == FileRef(url, f"{url}?v=3")
    assert ref.asset_file == ""


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
        f"https://assets.memori.ai/api/v2/asset/{'x' * 600}.png",
        "javascript:alert(1)",
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
