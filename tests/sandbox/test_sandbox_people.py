"""People, and with them what every plain collection does."""

from __future__ import annotations

import pytest

from sync.sandbox import Sandbox

PEOPLE = "/memori/v2/People/{s}"
PERSON = "/memori/v2/Person/{s}"


def receiver(number: int = 1, **fields):
    person = {"personType": "Receiver", "name": f"Reader {number}", "pin": f"{number:06}"}
    return person | fields


def test_the_giver_is_a_person_of_a_new_agent(giver):
    answer = giver.get(PEOPLE)
    assert answer["count"] == 1
    assert answer["people"][0]["personType"] == "Giver"


def test_an_added_person_is_read_back_with_id_and_audit_fields(giver):
    sent = receiver(7, tag="🦊", information="Likes maps")
    person_id = giver.post(PERSON, sent)["personID"]
    person = giver.get(f"{PERSON}/{person_id}")["person"]
    assert person == sent | {
        "personID": person_id,
        "creationTimestamp": "2026-03-01T12:00:00.000000Z",
        "creationSessionID": giver.secret,
        "lastChangeTimestamp": "2026-03-01T12:00:00.000000Z",
        "lastChangeSessionID": giver.secret,
    }


def test_an_id_that_the_client_chooses_is_ignored(giver):
    person_id = giver.post(PERSON, receiver(personID="mine"))["personID"]
    assert person_id != "mine"
    assert giver.get(f"{PERSON}/mine")["resultCode"] == 404


def test_pages_count_the_whole_and_end_in_an_empty_one(giver):
    for number in range(5):
        giver.post(PERSON, receiver(number))
    whole = giver.get(PEOPLE)["people"]
    pages = [giver.get(f"{PEOPLE}/{start}/4") for start in (0, 4, 8)]
    assert [page["count"] for page in pages] == [6, 6, 6]
    assert [len(page["people"]) for page in pages] == [4, 2, 0]
    assert [person for page in pages for person in page["people"]] == whole


@pytest.mark.parametrize("page", ["-1/10", "0/0", "0/-5", "x/10", "0/y", "0/3000000000"])
def test_a_page_that_makes_no_sense_is_refused(giver, page):
    assert giver.get(f"{PEOPLE}/{page}")["resultCode"] == 400


def test_a_page_cap_shortens_pages_silently(world, contract, client, http):
    with Sandbox(world, middleware=contract.wrap, page_cap=2) as capped:
        giver = type(client)(http, capped.url).open_giver(world.agent("Guide"))
        for number in range(4):
            giver.post(PERSON, receiver(number))
        assert len(giver.get(f"{PEOPLE}/0/100")["people"]) == 2
        assert len(giver.get(PEOPLE)["people"]) == 5


def test_a_change_sets_what_is_given_and_ignores_null(giver, clock):
    person_id = giver.post(PERSON, receiver(1, tag="🐝", information="kept"))["personID"]
    before = giver.get(f"{PERSON}/{person_id}")["person"]
    clock.forward(minutes=1)
    change = {"name": "Ada", "information": None, "personID": "other"}
    answer = giver.patch(f"{PERSON}/{person_id}", change)
    assert answer["resultCode"] == 0
    assert "person" not in answer
    after = giver.get(f"{PERSON}/{person_id}")["person"]
    changed = {"name": "Ada", "lastChangeTimestamp": "2026-03-01T12:01:00.000000Z"}
    assert after == before | changed


def test_a_removed_person_is_gone_and_removing_it_again_is_not_found(giver):
    person_id = giver.post(PERSON, receiver())["personID"]
    assert giver.delete(f"{PERSON}/{person_id}")["resultCode"] == 0
    again = giver.delete(f"{PERSON}/{person_id}")
    assert again["resultCode"] == 404
    assert "session" not in again["resultMessage"].lower()


@pytest.mark.parametrize("pin", ["12345", "1234567", "12345a", "", None, 123456, "१२३४५६"])
def test_a_pin_is_six_digits_as_text(giver, pin):
    assert giver.post(PERSON, receiver(pin=pin))["resultCode"] == 400


def test_a_pin_keeps_its_leading_zeros(giver):
    person_id = giver.post(PERSON, receiver(pin="000042"))["personID"]
    assert giver.get(f"{PERSON}/{person_id}")["person"]["pin"] == "000042"


def test_a_wrong_pin_is_refused_on_change_too(giver):
    person_id = giver.post(PERSON, receiver())["personID"]
    assert giver.patch(f"{PERSON}/{person_id}", {"pin": "12"})["resultCode"] == 400


@pytest.mark.parametrize("name", ["", None])
def test_a_person_needs_a_name(giver, name):
    assert giver.post(PERSON, receiver(name=name))["resultCode"] == 400


def test_a_person_needs_a_type(giver):
    assert giver.post(PERSON, receiver(personType=None))["resultCode"] == 400


def test_only_receivers_are_added_and_removed(giver, agent):
    assert giver.post(PERSON, receiver(personType="Giver"))["resultCode"] == 422
    giver_id = agent.giver["personID"]
    assert giver.delete(f"{PERSON}/{giver_id}")["resultCode"] == 422


def test_the_type_of_a_person_stays(giver, agent):
    giver_id = agent.giver["personID"]
    assert giver.patch(f"{PERSON}/{giver_id}", {"personType": "Receiver"})["resultCode"] == 422
    same = {"personType": "Giver", "name": "Teacher"}
    assert giver.patch(f"{PERSON}/{giver_id}", same)["resultCode"] == 0


def test_a_tag_belongs_to_one_person_of_an_agent(giver, client, world):
    first = giver.post(PERSON, receiver(1, tag="🦉"))["personID"]
    second = giver.post(PERSON, receiver(2, tag="🐢"))["personID"]
    assert giver.post(PERSON, receiver(3, tag="🦉"))["resultCode"] == 409
    assert giver.patch(f"{PERSON}/{second}", {"tag": "🦉"})["resultCode"] == 409
    assert giver.patch(f"{PERSON}/{first}", {"tag": "🦉"})["resultCode"] == 0
    elsewhere = client.open_giver(world.agent("Archive"))
    assert elsewhere.post(PERSON, receiver(1, tag="🦉"))["resultCode"] == 0


def test_a_memory_of_a_removed_receiver_becomes_public(giver, agent):
    person_id = giver.post(PERSON, receiver(1, tag="🦉"))["personID"]
    memory = {"memoryType": "Story", "answers": [{"text": "x"}], "receiverID": person_id}
    memory_id = giver.post("/memori/v2/Memory/{s}", memory)["memoryID"]
    giver.delete(f"{PERSON}/{person_id}")
    assert agent.memories[memory_id]["receiverID"] is None
