"""Plans are pure: what they contain, in which order, and what they say cannot be done."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync.field import TEXT
from sync.kind import Ref
from sync.kinds import KINDS
from sync.lives import follow
from sync.mirror.journal import Begun
from sync.order import CREATE, DELETE, REPLACE, UPDATE, UPLOAD, waits
from sync.plan import Plan, Terms, plan
from sync.twin import find_twins

URL = "https://assets.memori.ai/api/v2/asset/{}.png"
TAKING_PART = {name: kind for name, kind in KINDS.items() if kind.create or kind.update}


def person(key: str, **more) -> tuple:
    return ("person", key), {"personID": key, "personType": "Receiver", "name": key, **more}


def memory(key: str, text: str = "yes", **more) -> tuple:
    return ("memory", key), {"memoryID": key, "title": key, "answers": [{"text": text}], **more}


def medium(key: str, parent: str, position: int = 0, **more) -> tuple:
    about = {"mediumID": key, "memoryID": parent, "position": position, "mimeType": "image/png"}
    return ("medium", key), about | more


def asset(key: str, parent: str | None = None) -> tuple:
    about = {"assetID": key, "assetURL": URL.format(key), "engineMemoryID": parent}
    return ("asset", key), about | {"originalFileName": key}


def message(key: str, value: str = "hi") -> tuple:
    return ("localization_key", key), {"key": key, "value": value}


def make(wanted, live=(), successors=None, stored=(), chosen=None, kinds=TAKING_PART) -> Plan:
    files = frozenset(f"asset/{name}.png" for name in stored)
    return plan(dict(wanted), dict(live), kinds, successors or {}, files, Terms(chosen=chosen))


def told(made: Plan) -> list[tuple[str, str]]:
    return [(step.op, step.ident[1]) for step in made.steps]


def test_equal_states_need_nothing():
    world = [person("p"), memory("m", receiverID="p"), medium("x", "m"), asset("a", "m")]
    made = make(world, world)
    assert (made.steps, made.losses, made.extras) == ((), (), ())


def test_what_is_referred_to_comes_first_whatever_the_names_are():
    world = [
        medium("a-medium", "z-memory", url=URL.format("file")),
        memory("z-memory", receiverID="zz-person"),
        person("zz-person"),
        asset("file", "z-memory"),
    ]
    assert told(make(world, stored=["file"])) == [
        (CREATE, "zz-person"),
        (CREATE, "z-memory"),
        (UPLOAD, "file"),
        (CREATE, "a-medium"),
    ]


def test_media_of_a_memory_come_one_after_another_in_their_order():
    world = [memory("m"), asset("file", "m"), medium("c", "m", 0, url=URL.format("file"))]
    world += [medium("a", "m", 2, content="x"), medium("b", "m", 1, content="x")]
    assert told(make(world, stored=["file"]))[-3:] == [(CREATE, "c"), (CREATE, "b"), (CREATE, "a")]


def test_keys_of_a_set_come_in_the_order_of_their_numbers():
    world = [message("BYE_10"), message("BYE_2"), message("BYE_3")]
    made = make(world, [message("BYE_1")])
    assert told(made) == [(CREATE, "BYE_2"), (CREATE, "BYE_3"), (CREATE, "BYE_10")]


def test_a_cycle_between_a_text_and_its_file_is_cut_at_the_text():
    world = [memory("m", text=f"see {URL.format('f')}"), asset("f", "m")]
    made = make(world, stored=["f"])
    assert told(made) == [(CREATE, "m"), (UPLOAD, "f"), (UPDATE, "m")]
    assert list(made.steps[-1].fields) == ["answers"]


def test_a_cycle_of_optional_refs_is_cut_by_setting_one_later():
    kind = KINDS["person"]
    friend = replace(
        kind, writable={**kind.writable, "friendID": TEXT}, refs=(Ref("friendID", "person"),)
    )
    world = [person("p", friendID="q"), person("q", friendID="p")]
    made = make(world, kinds={**TAKING_PART, "person": friend})
    assert sorted(op for op, _ in told(made)) == [CREATE, CREATE, UPDATE]
    first, second, later = made.steps
    assert first.left_out == {"friendID"}
    assert later.ident == first.ident
    assert second.needs == {first.ident}
    assert list(later.fields) == ["friendID"]


def test_an_update_holds_every_difference_and_nothing_else():
    wanted = [memory("m", hints=["a"], title="old", tags=["t"])]
    live = [memory("m", hints=[], title="new", tags=["t"], readOccurrences=7)]
    (step,) = make(wanted, live).steps
    assert dict(step.fields) == {"hints": ([], ["a"]), "title": ("new", "old")}


def test_refs_to_what_came_back_under_another_key_are_no_difference():
    wanted = [person("p"), memory("m", receiverID="p")]
    live = [person("p3", name="p"), memory("m", receiverID="p3")]
    made = make(wanted, live, {("person", "p"): "p2", ("person", "p2"): "p3"})
    assert made.steps == ()
    assert made.matches["person", "p"] == "p3"


def test_a_memory_still_pointing_to_a_person_that_is_made_again_is_updated():
    world = [person("p"), memory("m", receiverID="p")]
    assert told(make(world, world[1:])) == [(CREATE, "p"), (UPDATE, "m")]


def test_a_file_that_came_back_elsewhere_is_no_difference():
    wanted = [memory("m", text=URL.format("f")), medium("x", "m", url=URL.format("f")), asset("f")]
    live = [memory("m", text=URL.format("g")), medium("x", "m", url=URL.format("g"))]
    live += [(("asset", "g"), {**asset("g")[1], "originalFileName": "f"})]
    assert make(wanted, live, {("asset", "f"): "g"}).steps == ()


def test_a_person_made_again_by_hand_is_recognised_by_its_tag_if_it_is_the_only_one():
    wanted = [person("p", tag="T")]
    assert make(wanted, [person("q", tag="T")]).matches == {("person", "p"): "q"}
    two = [person("q", tag="T"), person("r", tag="T")]
    assert told(make(wanted, two)) == [(CREATE, "p")]
    assert told(make([person("p"), person("o")], [person("q")])) == [(CREATE, "o"), (CREATE, "p")]


def test_a_swap_of_two_fields_of_which_one_is_set_replaces_the_object():
    live = [memory("m"), medium("x", "m", content="note")]
    (step,) = make([memory("m"), medium("x", "m", url="https://x.example")], live).steps
    assert (step.op, step.live_key) == (REPLACE, "x")


@pytest.mark.parametrize(
    ("wanted", "live", "reason"),
    [
        (message("GOODBYE"), None, "a single message cannot be added, only changed"),
        (asset("f"), None, "its file was never stored"),
        (person("g", personType="Giver"), None, "the Giver is made by the remote"),
        (person("p"), person("p", information="x"), "information cannot be emptied"),
        (person("p"), person("p", personType="Other"), "personType cannot be changed"),
    ],
)
def test_what_cannot_be_done_is_told_with_its_reason(wanted, live, reason):
    made = make([wanted], [live] if live else [])
    assert made.steps == ()
    assert [each.reason for each in made.losses] == [reason]


def test_a_ref_to_what_was_gone_already_is_left_out_and_told():
    made = make([asset("f", "gone")], stored=["f"])
    (step,) = made.steps
    assert (step.op, step.left_out) == (UPLOAD, {"engineMemoryID"})
    assert "which was gone already" in made.losses[0].reason
    live = [(("asset", "f"), {**asset("f")[1], "engineMemoryID": None})]
    assert make([asset("f", "gone")], live).steps == ()
    same = [asset("f", "gone")]
    assert make(same, same).losses == ()
    assert make([medium("x", "gone")], []).steps == ()


def test_the_givers_tag_and_pin_are_left_alone():
    giver = {"personType": "Giver", "tag": "a", "pin": "1"}
    wanted, live = person("g", **giver), person("g", **{**giver, "tag": "b", "pin": "2"})
    made = make([wanted], [live])
    assert (made.steps, made.losses) == ((), ())


def test_a_choice_brings_its_children_and_what_it_refers_to_if_that_is_missing():
    world = [person("p"), person("q"), memory("m", receiverID="p"), memory("n")]
    world += [medium("x", "m", url=URL.format("f")), asset("f", "m")]
    made = make(world, [person("q", name="other")], stored=["f"], chosen={("memory", "m")})
    assert told(made) == [(CREATE, "p"), (CREATE, "m"), (UPLOAD, "f"), (CREATE, "x")]


def test_what_is_not_wanted_stays_and_is_told():
    assert make([], [person("p")]).extras == (("person", "p"),)


@given(st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("abcdef")))
def test_successors_are_followed_to_the_end_and_never_round_in_circles(successors):
    chain = {("person", old): new for old, new in successors.items()}
    for key in "abcdef":
        assert follow(("person", key), chain) in {*successors.values(), key}


@st.composite
def states(draw) -> list[tuple]:
    """A few people, memories that refer to them, and files that memories show."""
    world = [person(key, name=draw(st.sampled_from("xy"))) for key in draw(SOME)]
    world += [asset(key, draw(st.sampled_from(["a", None]))) for key in draw(SOME)]
    for key in draw(SOME):
        text = draw(st.sampled_from(["yes", f"see {URL.format('a')}", URL.format("b").upper()]))
        receiver = draw(st.sampled_from(["a", "b", None]))
        world.append(memory(key, text, receiverID=receiver))
        if draw(st.booleans()):
            world.append(medium(f"x{key}", key, url=URL.format(draw(st.sampled_from("ab")))))
    return world


SOME = st.sets(st.sampled_from("abc"))
MOVES = st.dictionaries(
    st.tuples(st.sampled_from(["person", "asset", "memory"]), st.sampled_from("abc")),
    st.sampled_from("abc"),
)


@given(states(), states(), MOVES)
def test_what_is_the_same_to_the_letter_is_skipped_as_if_it_had_been_compared(one, other, moves):
    for wanted, live in ((one, other), (one, one), (one, [*other, *one])):
        quick = make(wanted, live, moves, stored="abc")
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("sync.plan._is_as_wanted", lambda *_: False)
            assert make(wanted, live, moves, stored="abc") == quick


def again(wanted, live) -> Plan:
    return plan(dict(wanted), dict(live), TAKING_PART, {}, frozenset(), Terms(recreate=True))


@pytest.mark.parametrize(
    ("wanted", "live"),
    [
        (person("p"), person("p", information="x")),
        (person("p"), person("p", personType="Other")),
        (memory("m"), memory("m", dcmOutcomeCode="x", title="changed")),
        (medium("x", "m", content="c"), medium("x", "m", content="c", title="t")),
    ],
)
def test_what_no_update_can_bring_back_is_made_again_if_asked_for(wanted, live):
    parents = [memory("m")] if wanted[0][0] == "medium" else []
    made = again([wanted, *parents], [live, *parents])
    assert [(step.op, step.live_key) for step in made.steps] == [(REPLACE, live[0][1])]
    assert made.losses == ()


@pytest.mark.parametrize(
    ("wanted", "live", "why"),
    [
        ([person("p")], [person("p", information="x", newField=1)], "does not know"),
        ([person("p")], [person("p", information="x"), memory("m", receiverID="p")], "refer"),
        ([person("p"), memory("m", receiverID="p")], [person("p", information="x")], "refer"),
        ([memory("m")], [memory("m", dcmOutcomeCode="x"), medium("x", "m")], "belong"),
        ([memory("m")], [memory("m", dcmOutcomeCode="x"), asset("f", "m")], "refer"),
        ([person("p", personType="Giver")], [person("p", information="x")], "Giver"),
    ],
)
def test_nothing_is_made_again_if_something_could_get_lost(wanted, live, why):
    made = again(wanted, live)
    assert REPLACE not in {step.op for step in made.steps}
    assert why in " ".join(each.reason for each in made.losses)


@given(st.permutations("abcd"), st.sets(st.sampled_from("abcd")))
def test_media_are_made_again_from_the_first_that_is_out_of_place_and_no_others(order, lost):
    wanted = [memory("m"), *(medium(x, "m", n, content=x) for n, x in enumerate("abcd"))]
    kept = [each for each in order if each not in lost]
    live = [memory("m"), *(medium(x, "m", n, content=x) for n, x in enumerate(kept))]
    made = again(wanted, live)
    gone = {step.live_key for step in made.steps if step.op == REPLACE}
    after = [each for each in kept if each not in gone] + [key for _, key in told(made)]
    assert made.losses == ()
    if not lost:
        # Nobody knows whether that was the order at the snapshot.
        assert made.steps == ()
        return
    assert after == list("abcd")
    stay = [each for each in kept if each not in gone]
    assert stay == list("abcd")[: len(stay)]


def test_an_order_stays_if_one_of_its_media_cannot_be_made_again():
    wanted = [memory("m"), medium("a", "m", 0, content="a"), medium("b", "m", 1, content="b")]
    unknown = {"content": "b", "newField": 1}
    live = [memory("m"), medium("b", "m", 0, **unknown)]
    made = again(wanted, live)
    assert told(made) == [(CREATE, "a")]
    assert ["order" in each.reason for each in made.losses] == [True]


# -- settling


def begun(**over) -> Begun:
    facts = {
        "id": 1, "op": CREATE, "kind": "person", "old_key": "p", "parent_new_key": None,
        "sent": {"name": "Anna", "tag": "T"}, "sha256": None, "before_snapshot_id": 1,
    }  # fmt: skip
    return Begun(**{**facts, **over})


ANNA = {"personID": "n", "name": "Anna", "tag": "T", "information": None, "creationTimestamp": "x"}


def made(steps: list[Begun], kind: str, candidates: dict, hashes: dict | None = None) -> dict:
    return find_twins(steps, KINDS[kind], candidates, hashes or {})


def test_an_object_equal_in_what_was_sent_is_the_twin():
    twins = {"n": ANNA, "o": {**ANNA, "name": "Other"}}
    assert made([begun()], "person", twins) == {1: "n"}


def test_of_several_equal_ones_each_step_takes_another():
    twins = {"z": ANNA, "n": ANNA}
    assert made([begun()], "person", twins) == {1: "n"}
    assert made([begun(), begun(id=2)], "person", twins) == {1: "n", 2: "z"}
    assert made([begun(), begun(id=2)], "person", {"n": ANNA}) == {1: "n", 2: None}


def test_what_a_remote_stored_in_a_form_of_its_own_is_a_twin_all_the_same():
    sent = [begun(id=n, kind="memory", sent={"title": f"  Tale {n} "}) for n in (1, 2)]
    trimmed = {f"m{n}": {"memoryID": f"m{n}", "title": f"tale {n}"} for n in (1, 2)}
    assert made(sent, "memory", trimmed) == {1: "m1", 2: "m2"}
    # So is one of whose fields none can be changed.
    pair = {"text1": " Hello ", "text2": "hi  there", "correlated": True}
    stored = {"pairID": "q", "text1": "Hello", "text2": "hi there", "correlated": True}
    step = begun(kind="correlation_pair", sent=pair)
    assert made([step], "correlation_pair", {"q": stored}) == {1: "q"}
    assert made([step], "correlation_pair", {"q": {**stored, "text2": "ho"}}) == {1: None}


def test_what_somebody_else_made_meanwhile_is_no_twin():
    sent = begun(kind="memory", sent={"title": "Tale", "hints": [], "tags": []})
    theirs = {"m": {"memoryID": "m", "title": "Precious", "hints": [], "tags": []}}
    assert made([sent], "memory", theirs) == {1: None}


def test_without_a_new_object_the_call_was_not_carried_out():
    assert made([begun()], "person", {}) == {1: None}


def test_a_twin_lies_under_the_same_parent():
    step = begun(kind="medium", parent_new_key="m", sent={"content": "x"})
    other = {"x": {"mediumID": "x", "memoryID": "other", "content": "x"}}
    assert made([step], "medium", other) == {1: None}


def test_the_twin_of_a_file_has_the_same_bytes():
    step = begun(kind="asset", sent={"memoriID": "1"}, sha256="aa")
    files = {key: {"assetID": key, "memoriID": "1"} for key in ("f", "g")}
    assert made([step], "asset", files, {"f": "bb", "g": "aa"}) == {1: "g"}
    assert made([step], "asset", {"f": files["f"]}, {"f": "bb"}) == {1: None}


def test_no_live_object_is_taken_for_two_wanted_ones():
    wanted = [person("p", tag="bear"), person("q", tag="fox")]
    matches = make(wanted, [person("q", tag="fox")], {("person", "p"): "q"}).matches
    assert matches == {("person", "q"): "q"}


def test_a_successor_that_came_back_itself_is_followed_no_further():
    live = [person("p2")]
    successors = {("person", "p"): "p2", ("person", "p2"): "p"}
    assert make([person("p2")], live, successors).matches == {("person", "p2"): "p2"}
    assert make([person("p")], live, successors).matches == {("person", "p"): "p2"}


def test_a_receiver_is_never_taken_for_a_giver():
    giver = person("g", personType="Giver", tag="T")
    assert told(make([person("p", tag="T")], [giver])) == [(CREATE, "p")]


def test_an_order_that_cannot_come_back_is_told():
    family = [medium(key, "m", place, content=key) for place, key in enumerate("abc")]
    lost_first = [memory("m"), medium("b", "m", 0, content="b"), medium("c", "m", 1, content="c")]
    whole = make([memory("m"), *family], lost_first)
    assert told(whole) == [(CREATE, "a")]
    assert [each.reason for each in whole.losses] == ["the order of its 3 media cannot be restored"]
    assert make([memory("m"), *family], [memory("m"), *family[:2]]).losses == ()


def test_a_refused_medium_does_not_hold_up_its_younger_brothers():
    family = [medium(key, "m", place, content=key) for place, key in enumerate("ab")]
    first, second = make([memory("m"), *family], [memory("m")]).steps
    assert second.after == {first.ident}
    assert second.needs == frozenset()


def test_what_belongs_to_another_is_made_but_never_changed():
    theirs = asset("f")
    live = [(theirs[0], {**theirs[1], "originalFileName": "renamed"})]
    files = frozenset({"asset/f.png"})
    for now, steps in ((live, 0), ([], 1)):
        terms = Terms(only_made={theirs[0]})
        whole = plan(dict([theirs]), dict(now), TAKING_PART, {}, files, terms)
        assert len(whole.steps) == steps


def names_waited_for(made: Plan) -> dict[tuple[str, str], set[str]]:
    """{(op, key): keys of the steps that it directly waits for}."""
    return {
        (made.steps[number].op, made.steps[number].ident[1]): {
            made.steps[each].ident[1] for each in before
        }
        for number, before in waits(made.steps, TAKING_PART).items()
    }


def test_only_what_refers_to_each_other_waits():
    world = [person("p"), person("q"), memory("m", receiverID="p"), memory("n")]
    assert names_waited_for(make(world)) == {
        (CREATE, "p"): set(),
        (CREATE, "q"): set(),
        (CREATE, "m"): {"p"},
        (CREATE, "n"): set(),
    }


def test_one_family_comes_one_after_another():
    live = [memory("m", title="old"), medium("b", "m", 1, content="old")]
    world = [memory("m"), medium("b", "m", 1, content="b"), medium("c", "m", 2, content="c")]
    assert names_waited_for(make(world, live)) == {
        (UPDATE, "m"): set(),
        (UPDATE, "b"): {"m"},
        (CREATE, "c"): {"b"},
    }
    messages = [message("HI_1"), message("HI_2"), message("HI_10"), message("BYE_2")]
    live = [message("HI_1", "old"), message("BYE_1")]
    assert names_waited_for(make(messages, live)) == {
        (UPDATE, "HI_1"): set(),
        (CREATE, "HI_2"): {"HI_1"},
        (CREATE, "HI_10"): {"HI_2"},
        (CREATE, "BYE_2"): set(),
    }


def test_deletions_wait_for_everything_and_for_each_other():
    live = [memory("old"), person("left"), person("p", pin="1")]
    made = plan(
        dict([person("p", pin="2"), person("q")]),
        dict(live),
        TAKING_PART,
        {},
        frozenset(),
        Terms(surplus=TAKING_PART),
    )
    assert names_waited_for(made) == {
        (UPDATE, "p"): set(),
        (CREATE, "q"): set(),
        (DELETE, "old"): {"p", "q"},
        (DELETE, "left"): {"old"},
    }


def test_a_ref_that_is_set_later_waits_for_both_ends():
    world = [memory("m", text=f"see {URL.format('f')}"), asset("f", "m")]
    assert names_waited_for(make(world, stored=["f"])) == {
        (CREATE, "m"): set(),
        (UPLOAD, "f"): {"m"},
        (UPDATE, "m"): {"m", "f"},
    }


def test_a_plan_that_only_deletes_does_each_once_and_in_its_order():
    live = [memory("m", receiverID="p"), person("p"), person("q")]
    made = plan({}, dict(live), TAKING_PART, {}, frozenset(), Terms(surplus=TAKING_PART))
    assert waits(made.steps, TAKING_PART) == {0: set(), 1: {0}, 2: {1}}
