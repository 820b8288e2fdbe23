"""Documents come out as they went in, give equal text when they are equal, and hold no session."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.document import canonical, map_texts, parse, scrub, session_mark, storable
from sync.errors import BadAnswer

SESSION = "5e551000-0000-4000-8000-0000000000aa"

texts = st.text(alphabet=st.characters(), max_size=8)  # lone surrogates and NUL included
scalars = st.none() | st.booleans() | st.integers() | texts
scalars |= st.floats(allow_nan=False, allow_infinity=False)
documents = st.dictionaries(
    texts,
    st.recursive(
        scalars,
        lambda each: st.lists(each, max_size=3) | st.dictionaries(texts, each, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)


def as_sent(value: object) -> bytes:
    return json.dumps(value).encode()


@given(documents)
def test_what_the_remote_sends_comes_back_unchanged(document):
    text = canonical(parse(as_sent(document)))

    assert parse(text.encode()) == parse(as_sent(document))
    # PostgreSQL takes it as it is.
    assert "\x00" not in text
    text.encode("utf-8")


@given(documents)
def test_equal_documents_give_equal_text_whatever_the_order_of_their_fields(document):
    shuffled = dict(reversed(document.items()))
    assert canonical(document) == canonical(shuffled)


@pytest.mark.parametrize(
    "text", ["123456789012345678901234567890", '"\\ud800"', '"a\\u0000b"', "[1.5e-300]", '"è🦊"']
)
def test_hostile_values_are_kept_exactly(text: str):
    assert parse(canonical(parse(text.encode())).encode()) == json.loads(text)


@pytest.mark.parametrize(
    "data",
    [b"", b"<html>", b'{"a": 1', b"[NaN]", b"[Infinity]", b"[1e400]", b"\xff\xfe", b"[" * 5000],
)
def test_what_is_no_json_is_a_bad_answer(data: bytes):
    with pytest.raises(BadAnswer):
        parse(data)


def test_of_two_fields_with_one_name_the_last_counts():
    assert parse(b'{"a": 1, "a": 2}') == {"a": 2}


def test_session_ids_in_audit_fields_become_marks_at_any_depth():
    document = {
        "creationTimestamp": "2024-01-01T00:00:00Z",
        "creationSessionID": SESSION,
        "contextVarsToSet": {"creationName": "Ann"},
        "answers": [{"lastChangeSessionID": SESSION, "text": "hello"}],
        "lastChangeName": SESSION,
        "creationName": None,
    }

    clean = scrub(document)

    assert SESSION not in json.dumps(clean)
    assert clean["creationSessionID"] == session_mark(SESSION)
    assert clean["answers"][0] == {"lastChangeSessionID": session_mark(SESSION), "text": "hello"}
    assert clean["creationName"] is None
    assert clean["contextVarsToSet"] == {"creationName": "Ann"}


@pytest.mark.parametrize(
    "text",
    [
        f"https://assets.memori.ai/api/v2/asset/a-b.png/{SESSION}",
        f"HTTPS://Backend.Memori.AI/API/v2/Asset/a-b.png/{SESSION}/",
        f'<img src="https://x.example/api/v1/asset/a-b.png/{SESSION}">',
        f"/api/v1/memoriai/memory/media/cloud/x/y.png?memori-ai-session-id={SESSION}&a=b",
        f'{{"url": "https://x.example/api/v2/asset/a.png/{SESSION}"}}',
        f"<a href='/api/v1/memoriai/memory/x.png?a=b&amp;memori-ai-session-id={SESSION}'>",
        rf'{{"a":"https:\/\/b.example\/api\/v2\/asset\/x.png\/{SESSION}"}}',
        f"https://assets.memori.ai/api/v2/asset/a b.png/{SESSION}",
        f"/api/v2/asset/a b.png/{SESSION}",
        f" //assets.memori.ai/api/v2/asset/it's.png/{SESSION}?x=1\n",
        f"https://assets.memori.ai/api/v2/asset/a.png//{SESSION}",
        f"https://assets.memori.ai/api/v2/asset/a.png%2F{SESSION}",
    ],
)
def test_session_ids_appended_to_urls_become_marks_inside_any_text(text: str):
    clean = scrub({"text": text})["text"]
    assert SESSION not in clean
    assert clean == text.replace(SESSION, session_mark(SESSION))


@pytest.mark.parametrize("text", ["/api/v2/asset/a.png or /b c", "/api/v2/asset/a b.png/ is it"])
def test_a_text_that_begins_with_a_url_stays_as_it_is(text: str):
    assert scrub({"text": text})["text"] == text


def test_a_document_nested_beyond_reason_is_a_bad_answer():
    deep: dict = {}
    for _ in range(300):
        deep = {"a": [deep]}
    with pytest.raises(BadAnswer, match="nested"):
        scrub(deep)


def test_a_mark_stays_a_mark():
    mark = session_mark(SESSION)
    assert session_mark(mark) == mark
    assert len(mark) == 17


def test_texts_are_changed_at_any_depth_and_nothing_else_is():
    value = {"a": "x", "b": ["x", 1, {"c": "x"}], "x": None}
    assert map_texts(value, str.upper) == {"a": "X", "b": ["X", 1, {"c": "X"}], "x": None}


@given(texts)
def test_a_column_text_holds_nothing_that_postgresql_refuses(text: str):
    kept = storable(text)
    kept.encode("utf-8")
    assert "\x00" not in kept
    assert len(kept) == len(text)


def test_numbers_stay_numbers():
    assert math.isclose(parse(canonical({"a": 0.1}).encode())["a"], 0.1)
