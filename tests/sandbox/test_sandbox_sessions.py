"""Sessions: who may open one, what it may do, when it dies."""

from __future__ import annotations

import pytest

SESSION = "/memori/v2/Session"


@pytest.fixture
def recipe(agent):
    return {"memoriID": agent.engine_id, "tag": "🎓", "pin": "271828"}


def test_the_giver_is_recognised(client, recipe):
    answer = client.post(SESSION, recipe)
    state = answer["currentState"]
    assert state["stateName"] == "WaitingForGiverActivityChoice"
    assert state["currentTag"] == "🎓"
    assert state["currentTagAuthenticated"] is True
    again = client.get(f"{SESSION}/{answer['sessionID']}")
    assert again["currentState"] == state


@pytest.mark.parametrize("wrong", [{"pin": "000000"}, {"tag": "🦊"}])
def test_wrong_credentials_open_an_ordinary_session_all_the_same(client, recipe, wrong):
    answer = client.post(SESSION, recipe | wrong)
    assert answer["resultCode"] == 0
    state = answer["currentState"]
    assert state["stateName"] == "WaitingForReceiverQuestion"
    assert state["currentTagAuthenticated"] is False
    assert state["currentTag"] != "🎓"
    people = client.get(f"/memori/v2/People/{answer['sessionID']}")
    assert people["resultCode"] == 403
    assert "people" not in people


def test_a_receiver_is_recognised_but_is_no_giver(client, giver, recipe):
    person = {"personType": "Receiver", "name": "Ada", "pin": "000001", "tag": "🦉"}
    giver.post("/memori/v2/Person/{s}", person)
    answer = client.post(SESSION, recipe | {"tag": "🦉", "pin": "000001"})
    assert answer["currentState"]["currentTagAuthenticated"] is True
    assert answer["currentState"]["stateName"] == "WaitingForReceiverQuestion"


def test_a_giver_who_was_never_set_up_opens_an_ordinary_session(client, agent, recipe):
    agent.people.clear()
    assert client.post(SESSION, recipe)["currentState"]["currentTagAuthenticated"] is False


@pytest.mark.parametrize(
    "wrong",
    [{"pin": None}, {"tag": None}, {"pin": "1234"}, {"pin": 271828}, {"memoriID": ""}],
)
def test_a_malformed_opening_is_refused(client, recipe, wrong):
    assert client.post(SESSION, recipe | wrong)["resultCode"] == 400


def test_the_backend_id_opens_no_session(client, agent, recipe):
    answer = client.post(SESSION, recipe | {"memoriID": agent.memori_id})
    assert answer["resultCode"] == 404


@pytest.mark.parametrize("privacy", ["PRIVATE", "SECRET"])
def test_an_agent_that_is_not_public_wants_its_password(client, agent, recipe, privacy):
    secret = "open sesame"
    agent.settings |= {"privacyType": privacy}
    if privacy == "PRIVATE":
        agent.settings["secretToken"] = secret
    else:
        agent.password = secret
    assert client.post(SESSION, recipe)["resultCode"] == 403
    assert client.post(SESSION, recipe | {"password": "wrong"})["resultCode"] == 403
    assert client.post(SESSION, recipe | {"password": secret})["resultCode"] == 0


def test_an_age_restriction_wants_a_birth_date(client, agent, recipe):
    agent.settings["ageRestriction"] = 18
    answer = client.post(SESSION, recipe)
    assert answer["resultCode"] == 403
    assert answer["resultMessage"].startswith("This Memori is aged restricted")
    adult = recipe | {"birthDate": "1980-01-01T00:00:00Z"}
    assert client.post(SESSION, adult)["resultCode"] == 0


def test_an_agent_may_want_a_login(client, agent, owner, recipe):
    agent.settings["requireLoginToken"] = True
    assert client.post(SESSION, recipe)["resultCode"] == 403
    logged_in = recipe | {"additionalInfo": {"loginToken": owner.secret}}
    assert client.post(SESSION, logged_in)["resultCode"] == 0


def test_a_closed_session_is_gone_everywhere(giver, sandbox):
    assert giver.get(f"{SESSION}/{{s}}/IsValid")["isValid"] is True
    assert giver.delete(f"{SESSION}/{{s}}")["resultCode"] == 0
    assert sandbox.sessions == {}
    for answer in (
        giver.get(f"{SESSION}/{{s}}"),
        giver.delete(f"{SESSION}/{{s}}"),
        giver.get("/memori/v2/People/{s}"),
        giver.patch("/memori/v2/Memory/{s}/x", {}),
    ):
        assert answer["resultCode"] == 404
        assert answer["resultMessage"] == f'Session with ID "{giver.secret}" not found'
    valid = giver.get(f"{SESSION}/{{s}}/IsValid")
    assert (valid["resultCode"], valid["isValid"]) == (0, False)


def test_a_session_dies_after_an_hour_without_a_call(giver, clock):
    clock.forward(minutes=59)
    assert giver.get("/memori/v2/People/{s}")["resultCode"] == 0
    clock.forward(minutes=59)
    assert giver.get(f"{SESSION}/{{s}}/IsValid")["isValid"] is True
    clock.forward(minutes=1)
    assert giver.get("/memori/v2/People/{s}")["resultCode"] == 404


def test_a_session_serves_its_own_agent_only(giver, client, world):
    elsewhere = client.open_giver(world.agent("Archive"))
    person = {"personType": "Receiver", "name": "Ada", "pin": "000001"}
    person_id = giver.post("/memori/v2/Person/{s}", person)["personID"]
    assert elsewhere.get(f"/memori/v2/Person/{{s}}/{person_id}")["resultCode"] == 404


def test_a_removed_agent_takes_its_sessions_along(giver, agent, world, sandbox):
    with sandbox.lock:
        del world.agents[agent.memori_id]
    assert giver.get("/memori/v2/People/{s}")["resultCode"] == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "People/{s}"),
        ("GET", "People/{s}/0/1"),
        ("GET", "Person/{s}/x"),
        ("POST", "Person/{s}"),
        ("PATCH", "Person/{s}/x"),
        ("DELETE", "Person/{s}/x"),
        ("GET", "LocalizationKeys/{s}"),
        ("GET", "LocalizationKey/{s}/x"),
        ("POST", "LocalizationKey/{s}"),
        ("PATCH", "LocalizationKey/{s}"),
        ("DELETE", "LocalizationKey/{s}/x"),
        ("GET", "Memories/{s}/ALL"),
        ("GET", "Memory/{s}/x"),
        ("POST", "Memory/{s}"),
        ("PATCH", "Memory/{s}/x"),
        ("DELETE", "Memory/{s}/x"),
        ("GET", "Media/{s}/x"),
        ("DELETE", "Media/{s}/x"),
        ("POST", "Medium/{s}/x"),
        ("GET", "Medium/{s}/x/y"),
        ("PATCH", "Medium/{s}/x/y"),
        ("DELETE", "Medium/{s}/x/y"),
    ],
)
def test_an_ordinary_session_may_not_teach(client, agent, method, path):
    answer = client.post(SESSION, {"memoriID": agent.engine_id})
    ordinary = client.with_secret(answer["sessionID"])
    refused = ordinary.raw(method, f"/memori/v2/{path}", json={}).json()
    assert refused["resultCode"] == 403
