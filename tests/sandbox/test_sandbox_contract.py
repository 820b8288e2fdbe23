"""The contract notices what it is there for, and keeps secrets to itself."""

from __future__ import annotations

import json

import pytest
from contract import Contract
from werkzeug.test import Client
from werkzeug.wrappers import Response

OK = {"requestID": 1, "requestDateTime": "2026-03-01T12:00:00Z", "resultCode": 0}
PEOPLE = "/memori/v2/People/secret-session"
PERSON = "/memori/v2/Person/secret-session"


@pytest.fixture
def noted():
    """What the contract notes when a remote answers so."""

    def note(answer, method="GET", path=PEOPLE, **options):
        contract = Contract()
        body = answer if isinstance(answer, bytes) else json.dumps(answer)
        app = Response(body, mimetype=options.pop("mimetype", "application/json"))
        Client(contract.wrap(app)).open(path, method=method, **options)
        return contract.violations

    return note


def test_a_right_answer_is_no_violation(noted):
    assert noted(OK | {"count": 1, "people": [{"personID": "x", "tag": None}]}) == []


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ({"count": 1}, "$: required"),
        (OK | {"count": "1"}, "$.count: type"),
        (OK | {"people": [{"name": 5}]}, "$.people[0].name: type"),
        (OK | {"people": [{"nmae": "x"}]}, "$.people[].nmae: not in the description"),
        (OK | {"people": [{"creationTimestamp": "today"}]}, "creationTimestamp: format"),
    ],
)
def test_a_wrong_answer_is_noted_with_its_place(noted, answer, problem):
    violations = noted(answer)
    assert any(problem in violation for violation in violations), violations
    assert all(line.startswith("GET /memori/v2/People/{strSessionID}: ") for line in violations)


def test_a_wrong_request_counts_only_if_it_was_taken(noted):
    wrong = {"method": "POST", "path": PERSON, "json": {"personType": "Receiver", "pin": "1"}}
    assert noted(OK | {"personID": "x"}, **wrong)
    assert noted(OK | {"resultCode": 400}, **wrong) == []


def test_an_answer_outside_of_the_description_is_noted(noted):
    assert noted(OK, path="/memori/v2/Invented")
    assert noted(OK | {"resultCode": 404}, path="/memori/v2/Invented") == []


def test_letter_case_and_times_without_zone_are_the_remotes_own_ways(noted):
    people = [{"creationTimestamp": "2022-03-23T09:37:25.4103771"}]
    assert noted(OK | {"people": people}, path="/MEMORI/v2/people/secret-session/0/10") == []


def test_secrets_are_not_repeated(noted):
    body = {"personType": "Receiver", "pin": "secret-pin", "name": ["secret-name"]}
    violations = noted(
        OK | {"people": "secret-answer"}, method="POST", path=PERSON, json=body
    ) + noted(OK | {"people": "secret-answer"})
    assert violations
    assert "secret-" not in "".join(violations)


def test_files_are_allowed_where_files_are_due(noted):
    assert noted(b"\x89PNG", path="/api/v2/Asset/a.png/secret", mimetype="image/png") == []
    assert noted(b"\x89PNG", mimetype="image/png")


def test_a_check_names_every_violation_once():
    contract = Contract()
    contract.check()
    contract.violations += ["GET /a: x", "GET /a: x", "GET /b: y"]
    with pytest.raises(AssertionError) as failure:
        contract.check()
    assert str(failure.value).count("GET /a: x") == 1
