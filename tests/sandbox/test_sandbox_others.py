"""Words, pairs, experts, functions, intents, open questions, topics: where each is not plain."""

from __future__ import annotations

import pytest

WORD = "/memori/v2/CustomWord/{s}"
PAIR = "/memori/v2/CorrelationPair/{s}"
EXPERT = "/memori/v2/ExpertReference/{s}"
FUNCTION = "/memori/v2/Function/{s}"
SLOT = "/memori/v2/IntentSlot/{s}"
INTENT = "/memori/v2/Intent/{s}"
QUESTION = "/memori/v2/UnansweredQuestion/{s}"
THE_EXPERT = {
    "name": "Archive",
    "description": "knows the papers",
    "expertMemoriID": "e1",
    "expertBaseURL": "https://engine.example",
}
HOOK = {"functionType": "WebHook", "name": "book", "description": "books a visit"}
DAY = {"name": "day", "description": "when", "parameterType": "string"}


def test_of_a_word_only_what_it_means_changes(giver):
    key = giver.post(WORD, {"word": "cats", "definition": "cat + many"})["customWordID"]
    giver.patch(f"{WORD}/{key}", {"word": "dogs", "definition": "cat + cat"})
    word = giver.get(f"{WORD}/{key}")["customWord"]
    assert (word["word"], word["definition"]) == ("cats", "cat + cat")


def test_a_word_is_known_once(giver):
    word = {"word": "cats", "definition": "cat + many"}
    giver.post(WORD, word)
    assert giver.post(WORD, word)["resultCode"] == 409


def test_a_pair_is_called_by_another_name_when_it_is_made_and_cannot_be_asked_for(giver):
    key = giver.post(PAIR, {"text1": "a", "text2": "b"})["correlationPairID"]
    listed = giver.get("/memori/v2/CorrelationPairs/{s}")["correlationPairs"]
    assert [(each["pairID"], each["occurrences"]) for each in listed] == [(key, 1)]
    assert giver.get(f"{PAIR}/{key}")["resultCode"] != 0
    assert giver.delete(f"{PAIR}/{key}")["resultCode"] == 0


def test_the_password_of_an_expert_is_never_shown(giver):
    key = giver.post(EXPERT, {**THE_EXPERT, "expertPassword": "s3cret"})["expertID"]
    giver.patch(f"{EXPERT}/{key}", {"expertPassword": "other", "name": "Papers"})
    shown = giver.get(f"{EXPERT}/{key}")["expert"]
    assert shown["name"] == "Papers"
    assert "expertPassword" not in shown
    assert "expertPassword" not in giver.get("/memori/v2/ExpertReferences/{s}")["experts"][0]


def test_the_parts_of_a_function_have_ids_and_its_type_stays(giver):
    key = giver.post(FUNCTION, {**HOOK, "parameters": [DAY]})["functionID"]
    giver.patch(f"{FUNCTION}/{key}", {"functionType": "Internal", "parameters": [DAY, DAY]})
    function = giver.get(f"{FUNCTION}/{key}")["function"]
    assert function["functionType"] == "WebHook"
    assert len({each["parameterID"] for each in function["parameters"]}) == 2
    assert giver.post(FUNCTION, {**HOOK, "parameters": [{"name": "day"}]})["resultCode"] == 400


def test_values_of_a_slot_that_come_twice_are_taken_once(giver):
    key = giver.post(SLOT, {"name": "room", "values": ["1", "2", "1"]})["intentSlotID"]
    assert giver.get(f"{SLOT}/{key}")["intentSlot"]["values"] == ["1", "2"]


def test_an_utterance_may_only_use_slots_that_exist(giver):
    intent = {"intentType": "Internal", "name": "way", "utterances": [{"text": "where is {room}?"}]}
    assert giver.post(INTENT, intent)["resultCode"] == 422
    giver.post(SLOT, {"name": "room"})
    key = giver.post(INTENT, intent)["intentID"]
    giver.patch(f"{INTENT}/{key}", {"intentType": "WebHook", "name": "where"})
    found = giver.get(f"{INTENT}/{key}")["intent"]
    assert (found["intentType"], found["name"]) == ("Internal", "where")
    assert [each["text"] for each in found["utterances"]] == ["where is {room}?"]
    assert found["utterances"][0]["utteranceID"]


def test_an_open_question_comes_with_memories_that_might_answer_it(giver, world):
    giver.post(QUESTION, {"text": "Are dogs allowed?"})
    memory = {"memoryType": "Question", "title": "Dogs?", "answers": [{"text": "No"}]}
    giver.post("/memori/v2/Memory/{s}", memory)
    (question,) = giver.get("/memori/v2/UnansweredQuestions/{s}")["unansweredQuestions"]
    assert question["suggestions"][0]["memory"]["title"] == "Dogs?"


@pytest.mark.parametrize("plural", ["Topics", "Intents", "Functions"])
def test_lists_that_are_empty_are_lists(giver, plural):
    answer = giver.get(f"/memori/v2/{plural}/{{s}}/0/10")
    assert answer["count"] == 0
    assert answer[plural[0].lower() + plural[1:]] == []
