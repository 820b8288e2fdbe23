"""What all answers share: envelope, letter case, status, the log of calls; and life and death."""

from __future__ import annotations

import gc
import socket
import threading
import time
from datetime import datetime

import pytest
import requests

from sync.sandbox import Call, Sandbox, World

JSON = {"Content-Type": "application/json"}


def test_every_answer_carries_the_envelope_and_a_running_number(giver):
    first, second = giver.get("/memori/v2/People/{s}"), giver.get("/api/v2/Badges/unknown")
    assert second["requestID"] == first["requestID"] + 1
    assert (first["resultCode"], first["resultMessage"]) == (0, "Ok")
    assert first["requestDateTime"] == "2026-03-01T12:00:00.000000Z"
    assert second["resultCode"] == -101


def test_the_letter_case_of_paths_does_not_matter(giver, agent):
    lower = giver.get("/memori/v2/people/{s}/0/10")
    assert lower["count"] == 1
    upper = giver.get("/MEMORI/V2/PERSON/{s}/" + agent.giver["personID"])
    assert upper["person"] == lower["people"][0]
    assert giver.get("/memori/v2/session/{s}/isvalid")["isValid"] is True


def test_the_type_of_memories_is_read_in_any_case(loose):
    assert loose.get("/memori/v2/memories/{s}/all")["resultCode"] == 0


def test_the_letter_case_of_what_paths_carry_does_matter(giver):
    key = "/memori/v2/LocalizationKey/{s}"
    assert giver.get(f"{key}/GIVER_PRESENTATION")["resultCode"] == 0
    assert giver.get(f"{key}/giver_presentation")["resultCode"] == 404


def test_the_letter_case_of_property_names_does_not_matter(loose, agent):
    body = {"memoriId": agent.engine_id, "TAG": "🎓", "Pin": "271828"}
    answer = loose.post("/memori/v2/session", body)
    assert answer["currentState"]["currentTagAuthenticated"] is True


def test_property_names_match_at_depth_but_keys_of_maps_are_data(loose, agent):
    sent = {
        "MEMORYTYPE": "Story",
        "Answers": [{"Text": "x"}],
        "ContextVarsToSet": {"TEXT": "1"},
        "MEDIA": [{"MimeType": "text/css", "Content": "a"}],
    }
    memory = agent.memories[loose.post("/memori/v2/Memory/{s}", sent)["memoryID"]]
    assert memory["answers"][0]["text"] == "x"
    assert memory["contextVarsToSet"] == {"TEXT": "1"}
    assert memory["media"][0]["content"] == "a"


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"null", b'"x"', b'{"name": NaN}', b'{"name": "\xff"}']
)
def test_a_body_that_is_no_object_is_refused(giver, body):
    response = giver.raw("POST", "/memori/v2/Person/{s}", data=body)
    assert (response.status_code, response.json()["resultCode"]) == (400, 400)


def test_text_that_utf8_cannot_hold_survives(giver, agent):
    sent = b'{"personType": "Receiver", "name": "a\\ud800\\u0000b", "pin": "000001"}'
    answer = giver.raw("POST", "/memori/v2/Person/{s}", data=sent, headers=JSON)
    person_id = answer.json()["personID"]
    assert agent.people[person_id]["name"] == "a\ud800\x00b"
    response = giver.raw("GET", "/memori/v2/Person/{s}/" + person_id)
    assert response.json()["person"]["name"] == "a\ud800\x00b"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/memori/v2/Nothing", 404),
        ("GET", "/memori/v2/People/{s}/", 404),
        ("GET", "/memori/v2/People//0/10", 404),
        ("PUT", "/memori/v2/People/{s}", 405),
    ],
)
def test_an_unknown_route_is_an_envelope_too(giver, method, path, status):
    response = giver.raw(method, path)
    assert response.status_code == status
    assert response.json()["resultCode"] == status


def test_an_engine_failure_is_an_http_failure_unless_switched_off(giver, world, http):
    response = giver.raw("GET", "/memori/v2/People/gone")
    assert (response.status_code, response.json()["resultCode"]) == (404, 404)
    with Sandbox(world, http_failure_status=False) as soft:
        response = http.get(soft.url + "/memori/v2/People/gone")
    assert (response.status_code, response.json()["resultCode"]) == (200, 404)


def test_calls_are_remembered_without_secrets(giver, owner, sandbox, world):
    sandbox.calls.clear()
    giver.get("/memori/v2/people/{s}/0/5")
    owner.get("/api/v2/Memori/{s}/nothing")
    giver.get("/memori/v2/Elsewhere/{s}")
    assert list(sandbox.calls) == [
        Call("GET", "/memori/v2/People/{strSessionID}/{from}/{howMany}", 200, 0),
        Call("GET", "/api/v2/Memori/{strToken}/{strMemoriID}", 200, -51),
        Call("GET", "(unknown)", 404, 404),
    ]


def test_a_bug_is_told_without_the_path(world, http, caplog):
    with Sandbox(world) as sandbox:
        sandbox.tokens["secret-token"] = sandbox.remote.log_in()
        del world.badges
        response = http.get(sandbox.url + "/api/v2/Badges/secret-token")
    assert response.json()["resultCode"] == 500
    assert "sandbox.failed" in caplog.text
    assert "secret-token" not in caplog.text


def test_edits_under_the_lock_wait_for_calls_and_calls_for_them(giver, sandbox):
    answers = []
    caller = threading.Thread(target=lambda: answers.append(giver.get("/memori/v2/People/{s}")))
    with sandbox.lock:
        caller.start()
        caller.join(0.1)
        assert not answers
    caller.join()
    assert answers[0]["count"] == 1


def test_a_world_can_be_served_again_and_nothing_is_left_behind(world, contract):
    before = set(threading.enumerate())
    for _ in range(3):
        with Sandbox(world) as sandbox:
            port = int(sandbox.url.rsplit(":", 1)[1])
            assert requests.get(sandbox.url + "/api/v2/HealthCheck", timeout=5).ok
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), timeout=5)
    for thread in set(threading.enumerate()) - before:
        thread.join(5)
        assert not thread.is_alive()
    gc.collect()


def test_a_sandbox_listens_on_loopback_alone_and_can_be_stopped_twice(world):
    sandbox = Sandbox(world)
    sandbox.start()
    assert sandbox.url.startswith("http://127.0.0.1:")
    sandbox.stop()
    sandbox.stop()


def test_the_clock_is_real_unless_given(http):
    with Sandbox(World.empty()) as sandbox:
        answer = http.get(sandbox.url + "/api/v2/HealthCheck").json()
    told = datetime.fromisoformat(answer["requestDateTime"])
    assert abs(told.timestamp() - time.time()) < 60


def test_a_hundred_thousand_people_page_quickly(world, http, client):
    agent = world.agent("Guide")
    for number in range(100_000):
        agent.people[f"p{number}"] = {"personID": f"p{number}", "personType": "Receiver"}
    with Sandbox(world) as sandbox:
        giver = type(client)(http, sandbox.url).open_giver(agent)
        started = time.monotonic()
        for _ in range(20):
            page = giver.get("/memori/v2/People/{s}/99900/100")
        spent_s = time.monotonic() - started
    assert (page["count"], len(page["people"])) == (100_001, 100)
    assert spent_s < 2
