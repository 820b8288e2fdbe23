"""Faults strike when ordered, and tell when they never did."""

from __future__ import annotations

import pytest
import requests

from sync.sandbox import Fault, FaultSet, Sandbox

PEOPLE = "/memori/v2/People/*"
PERSON = {"personType": "Receiver", "name": "Ada", "pin": "000001"}


@pytest.fixture
def served(world, http, contract, client):
    """Serve the world with faults: gives a Giver's client and the fault set."""
    running = []

    def serve(*faults):
        fault_set = FaultSet(faults)
        sandbox = Sandbox(world, faults=fault_set, middleware=contract.wrap)
        sandbox.start()
        running.append(sandbox)
        giver = type(client)(http, sandbox.url).open_giver(world.agent("Guide"))
        return giver, fault_set

    yield serve
    for sandbox in running:
        sandbox.stop()


def statuses(giver, count, path="/memori/v2/People/{s}"):
    return [giver.raw("GET", path).status_code for _ in range(count)]


def test_a_fault_strikes_the_nth_call_and_only_that(served):
    giver, faults = served(Fault(path=PEOPLE, nth=2, status=500))
    assert statuses(giver, 4) == [200, 500, 200, 200]
    faults.check()


def test_a_fault_can_strike_several_times_or_always(served):
    giver, _ = served(Fault(path=PEOPLE, nth=2, times=2, status=503))
    assert statuses(giver, 5) == [200, 503, 503, 200, 200]
    giver, _ = served(Fault(path="*/people/*", status=502))
    assert statuses(giver, 3) == [502, 502, 502]


def test_a_fault_strikes_only_its_method_and_path(served):
    giver, faults = served(Fault(path="*/Person/*", method="POST", status=500))
    assert statuses(giver, 2) == [200, 200]
    assert len(faults.unstruck) == 1
    assert giver.raw("POST", "/memori/v2/Person/{s}", json=PERSON).status_code == 500
    assert faults.unstruck == []


def test_headers_and_body_are_as_ordered(served):
    giver, _ = served(
        Fault(path=PEOPLE, nth=1, status=429, headers={"Retry-After": "7"}),
        Fault(path=PEOPLE, nth=2, status=200, body="<html>Please log in</html>"),
        Fault(
            path=PEOPLE,
            nth=3,
            status=200,
            body=b'{"resultCode": 0, "peo',
            headers={"Content-Type": "application/json"},
        ),
    )
    slow, page, broken = (giver.raw("GET", "/memori/v2/People/{s}") for _ in range(3))
    assert (slow.status_code, slow.headers["Retry-After"]) == (429, "7")
    assert page.headers["Content-Type"] == "text/html"
    assert "log in" in page.text
    assert broken.headers["Content-Type"] == "application/json"
    assert broken.text == '{"resultCode": 0, "peo'


def test_a_cut_answer_promises_more_than_it_sends(served):
    giver, faults = served(Fault(path=PEOPLE, nth=1, cut=20))
    with giver.raw("GET", "/memori/v2/People/{s}", stream=True) as response:
        assert int(response.headers["Content-Length"]) > 20
        pieces = []
        with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.ConnectionError)):
            pieces.extend(response.iter_content(1))
    assert len(b"".join(pieces)) == 20
    assert statuses(giver, 1) == [200]
    faults.check()


def test_a_lost_answer_leaves_the_call_carried_out(served, world):
    path = "*/person/*"
    giver, _ = served(
        Fault(path=path, method="POST", nth=1, status=500),
        Fault(path=path, method="POST", nth=2, status=504, after=True),
    )
    people = world.agent("Guide").people
    assert giver.raw("POST", "/memori/v2/Person/{s}", json=PERSON).status_code == 500
    assert len(people) == 1
    assert giver.raw("POST", "/memori/v2/Person/{s}", json=PERSON).status_code == 504
    assert len(people) == 2


def test_something_can_happen_before_a_call(served):
    giver, _ = served(Fault(path=PEOPLE, nth=2, do=lambda sandbox: sandbox.sessions.clear()))
    assert statuses(giver, 3) == [200, 404, 404]


def test_faults_that_never_struck_are_named(served):
    giver, faults = served(
        Fault(path=PEOPLE, nth=1, status=500), Fault(path="*/badges/*", nth=3, status=500)
    )
    statuses(giver, 1)
    with pytest.raises(AssertionError, match=r"GET \*/badges/\* nth=3"):
        faults.check()


def test_the_first_planned_of_two_strikes(served):
    giver, faults = served(
        Fault(path=PEOPLE, nth=1, status=500), Fault(path=PEOPLE, nth=1, status=501)
    )
    assert statuses(giver, 2) == [500, 200]
    assert [fault.status for fault in faults.unstruck] == [501]


def test_a_fault_that_orders_nothing_is_a_mistake():
    with pytest.raises(ValueError, match="nothing"):
        Fault(path=PEOPLE)
