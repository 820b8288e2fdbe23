"""What follows from a kind's roles: what is a change, what is sent, which columns there are."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.errors import BadAnswer
from sync.field import BOOLEAN, INTEGER, JSON, REAL, TEXT, column_name
from sync.kind import AUDIT, Kind, Parent, Ref, Route, Scope, adopt, children, cut_out
from sync.kinds import KINDS
from sync.registry import registry

TOY = Kind(
    name="toy",
    about="a toy",
    scope=Scope.MEMORI,
    key="toyID",
    list=Route("GET", "/memori/v2/Toys/{session}/{from}/{howMany}", "toys"),
    create=Route("POST", "/memori/v2/Toy/{session}", "toyID"),
    writable={"name": TEXT, "parts": JSON, "size": INTEGER, "weight": REAL, "old": BOOLEAN},
    create_only={"type": TEXT},
    assigned={"serial": TEXT},
    volatile={"seen": TEXT, "parts[].seen": TEXT},
)
FULL = {
    "toyID": "1",
    "name": "top",
    "parts": [{"label": "a", "seen": "now"}],
    "type": "wood",
    "serial": "s1",
    "seen": "now",
}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(), each, max_size=3),
    max_leaves=5,
)
documents = st.dictionaries(
    st.sampled_from(["name", "parts", "size", "weight", "old", "type", "serial", "surprise"]),
    values,
)


@given(documents, values)
def test_volatile_fields_are_no_change(document, value):
    assert TOY.digest({**document, "seen": value}) == TOY.digest(document)


@given(documents)
def test_the_key_is_no_part_of_the_digest(document):
    assert TOY.digest({**document, "toyID": "2"}) == TOY.digest({**document, "toyID": "1"})


@given(documents, st.sampled_from(["name", "type", "serial", "surprise"]))
def test_null_equals_absent_at_any_depth(document, name):
    without = {k: v for k, v in document.items() if k != name}
    assert TOY.digest({**without, name: None}) == TOY.digest(without)
    assert TOY.digest({"parts": {"a": 1, "b": None}}) == TOY.digest({"parts": {"a": 1}})


@given(documents, documents)
def test_digests_differ_exactly_where_a_field_does(old, new):
    assert (TOY.digest(old) != TOY.digest(new)) == bool(TOY.differences(old, new))


def test_nested_volatile_fields_are_neither_a_change_nor_sent():
    later = {**FULL, "parts": [{"label": "a", "seen": "later"}]}
    assert TOY.digest(later) == TOY.digest(FULL)
    assert TOY.body(FULL, create=True)["parts"] == [{"label": "a"}]


def test_every_other_field_is_a_change_even_an_undeclared_one():
    for name in ("name", "type", "serial", "surprise"):
        assert TOY.digest({**FULL, name: "other"}) != TOY.digest(FULL)
    assert TOY.undeclared({**FULL, "surprise": 1}) == {"surprise"}


def test_a_create_sends_the_writable_fields_and_an_update_those_that_can_change():
    assert TOY.body({**FULL, "surprise": 1}, create=True) == {
        "name": "top",
        "parts": [{"label": "a"}],
        "type": "wood",
    }
    assert TOY.body(FULL, create=False) == {"name": "top", "parts": [{"label": "a"}]}


def test_the_key_is_sent_only_where_the_caller_chooses_it():
    keys = KINDS["localization_key"]
    assert keys.body({"key": "HELLO", "value": "Ciao"}, create=False) == {
        "key": "HELLO",
        "value": "Ciao",
    }


def test_audit_fields_of_answers_are_never_sent():
    answer = {"text": "yes", **dict.fromkeys(AUDIT, "x")}
    body = KINDS["memory"].body({"memoryType": "Question", "answers": [answer]}, create=True)
    assert body == {"memoryType": "Question", "answers": [{"text": "yes"}]}


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("engineMemoryID", "engine_memory_id"),
        ("assetURL", "asset_url"),
        ("avatar3DURL", "avatar_3d_url"),
        ("avatarOriginal3DURL", "avatar_original_3d_url"),
        ("disableR2R3Loop", "disable_r2_r3_loop"),
        ("nsfw", "nsfw"),
        ("size_bytes", "size_bytes"),
        ("default", "default_"),
        ("key", "key_"),
    ],
)
def test_columns_are_named_in_snake_case(name: str, column: str):
    assert column_name(name) == column


@pytest.mark.parametrize(
    ("field", "value", "cell"),
    [
        ("name", "a\x00b", "a\ufffdb"),
        ("name", 7, "7"),
        ("name", None, None),
        ("parts", {"b": 1, "a": "\x00"}, '{"a":"\\u0000","b":1}'),
        ("size", 2**63, None),
        ("size", "7", None),
        ("size", True, None),
        ("size", 7, 7),
        ("weight", 7, 7.0),
        ("weight", 10**400, None),
        ("weight", "heavy", None),
        ("old", True, True),
        ("old", 1, None),
    ],
)
def test_a_value_of_the_wrong_type_leaves_its_column_empty(field, value, cell):
    row = TOY.row({field: value})
    assert row[column_name(field)] == cell
    assert type(row[column_name(field)]) is type(cell)


@pytest.mark.parametrize("key", [None, "", "  ", 7, "a\x00b", "a\nb", "\ud800", "è" * 1001])
def test_a_document_without_a_usable_key_is_a_bad_answer(key):
    with pytest.raises(BadAnswer, match="toyID"):
        TOY.key_of({"toyID": key})


def test_the_registry_is_free_of_contradictions():
    assert registry(*KINDS.values()) == KINDS


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"assigned": {"name": TEXT}}, "name has two roles"),
        ({"writable": {"toyID": TEXT}}, "toyID has two roles"),
        ({"files": ("url",)}, "url is not declared"),
        ({"masked": frozenset({"pin"})}, "pin is not declared"),
        ({"refs": (Ref("name", "ghost"),)}, "unknown kind ghost"),
        (
            {"parent": Parent("ghost", "toys", "name", "seen")},
            "its parent ghost does not stand before it",
        ),
        ({"create": None}, "does not say why"),
        ({"list": Route("GET", "/memori/v2/Toys", "toys")}, "lacks {session}"),
        ({"assigned": {"aB": TEXT, "a_b": TEXT}}, "share a column"),
    ],
)
def test_the_registry_refuses_a_contradiction(wrong, why):
    with pytest.raises(ValueError, match=why):
        registry(replace(TOY, **wrong))


def test_the_registry_refuses_a_child_before_its_parent():
    child = replace(TOY, name="toy_part", parent=Parent("toy", "parts", "name", "seen"))
    parent = replace(TOY, embeds=frozenset({"parts"}))
    assert registry(parent, child)
    with pytest.raises(ValueError, match="its parent toy does not stand before it"):
        registry(child, parent)


def test_the_registry_refuses_children_of_which_their_parent_knows_nothing():
    child = replace(TOY, name="toy_part", parent=Parent("toy", "parts", "name", "seen"))
    with pytest.raises(ValueError, match="toy: parts is embedded in it"):
        registry(TOY, child)
    with pytest.raises(ValueError, match="toy: parts is embedded in it"):
        registry(replace(TOY, embeds=frozenset({"parts"})))


def test_an_allow_list_lets_the_lists_of_children_through():
    kind = replace(TOY, allow_list=True, embeds=frozenset({"parts"}))
    kept = kind.accept({"toyID": "t", "parts": [1], "secret": "s"})
    assert kept == {"toyID": "t", "parts": [1]}


def test_the_registry_refuses_two_kinds_of_one_name():
    with pytest.raises(ValueError, match="share a name"):
        registry(TOY, TOY)


def test_nothing_secret_of_a_memori_is_kept():
    secrets = {
        "giverPIN": "123456",
        "secretToken": "token",
        "password": "x",
        "chainingPassword": "x",
        "dcmSecret": "x",
        "recoveryTokens": ["x"],
        "receivedInvitations": [{"pin": "123456"}],
        "completionConfigForQuestionAnswering": {"apiKey": "x"},
        "brandNewField": "x",
    }
    kept = KINDS["memori"].accept({"memoriID": "1", "name": "Guide", **secrets})
    assert kept == {"memoriID": "1", "name": "Guide"}


def test_the_pin_of_a_receiver_is_kept_and_that_of_the_giver_is_not():
    person = KINDS["person"]
    assert person.accept({"personType": "Receiver", "pin": "001234"})["pin"] == "001234"
    assert person.accept({"personType": "Giver", "pin": "271828"})["pin"] is None


def test_children_are_cut_out_of_their_parent_with_their_place():
    medium = KINDS["medium"]
    parent, found = cut_out(
        {"memoryID": "m", "media": [{"mediumID": "a"}, {"mediumID": "b"}]}, medium
    )
    assert parent == {"memoryID": "m"}
    assert adopt(found, medium, "m") == [
        {"mediumID": "a", "memoryID": "m", "position": 0},
        {"mediumID": "b", "memoryID": "m", "position": 1},
    ]
    assert children(KINDS["memory"], KINDS) == (medium,)
    assert cut_out({"memoryID": "m"}, medium) == ({"memoryID": "m"}, None)


@pytest.mark.parametrize("found", ["media", {"a": 1}, [1], [None]])
def test_children_that_are_no_objects_are_a_bad_answer(found):
    with pytest.raises(BadAnswer, match="not a list of objects"):
        adopt(found, KINDS["medium"], "m")


def test_a_reorder_of_media_is_no_change():
    medium = KINDS["medium"]
    assert medium.digest({"url": "x", "position": 0}) == medium.digest({"url": "x", "position": 3})
