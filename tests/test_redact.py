"""No known secret gets through."""

import json
import logging

import pytest
import structlog

from sync import log
from sync.config import LOG_FORMATS
from sync.redact import Redactor


def test_a_learnt_secret_is_blotted_out_also_in_its_url_form():
    redact = Redactor()
    redact.learn("s3cr/t word")
    assert redact("GET /x/s3cr/t word") == "GET /x/****"
    assert redact("GET /x/s3cr%2Ft%20word/y") == "GET /x/****/y"


def test_the_longer_of_two_secrets_goes_first():
    redact = Redactor()
    redact.learn("abcd")
    redact.learn("abcdef")
    assert redact("abcdef abcd") == "**** ****"


def test_nothing_and_what_is_too_short_are_not_learnt():
    redact = Redactor()
    for each in (None, "", "abc"):
        redact.learn(each)
    assert redact("abc") == "abc"


def test_no_log_line_holds_a_secret_whoever_writes_it(capsys):
    redact = Redactor()
    redact.learn("tok-4711")
    log.set_up("debug", redact)

    structlog.get_logger("a").info("call.done", url="https://x/tok-4711")
    logging.getLogger("thirdparty").warning("retrying %s", "/x/tok-4711")
    try:
        raise ValueError("tok-4711")
    except ValueError:
        structlog.get_logger("a").exception("it.failed")

    err = capsys.readouterr().err
    assert "tok-4711" not in err
    assert err.count("****") >= 3
    assert "event=call.done" in err


@pytest.mark.parametrize("form", LOG_FORMATS)
def test_no_spelling_of_a_format_hides_a_secret(capsys, form: str):
    redact, secret = Redactor(), 'qu"o\\te ü'
    redact.learn(secret)
    log.set_up("debug", redact, form)
    structlog.get_logger("a").info("call.done", why=f"no {secret}", of=[secret])
    try:
        raise ValueError(secret)
    except ValueError:
        structlog.get_logger("a").exception("it.failed")
    err = capsys.readouterr().err
    assert "te " not in err
    assert err.count("****") >= 3


def test_a_line_of_json_holds_all_that_a_plain_one_holds(capsys):
    log.set_up("info", Redactor(), "json")
    structlog.get_logger("a").info("job.finished", job="backup", exit_code=0, s=1.5, why=None)
    logging.getLogger("thirdparty").warning("line\nbreak\u2028s")
    first, second = map(json.loads, capsys.readouterr().err.split("\n")[:-1])
    assert first.pop("timestamp").endswith("Z")
    told = {"event": "job.finished", "level": "info", "job": "backup", "exit_code": 0}
    assert first == {**told, "s": 1.5, "why": None}
    assert (second["level"], second["event"]) == ("warning", "line\nbreak\u2028s")


def test_third_parties_that_tell_urls_are_kept_quiet(capsys):
    log.set_up("debug", Redactor())
    logging.getLogger("urllib3.connectionpool").debug("GET /tok")
    assert capsys.readouterr().err == ""


def test_what_was_learnt_for_now_is_forgotten():
    redact = Redactor()
    redact.learn("for ever")
    with redact.for_now():
        redact.learn("for now")
        assert redact("for ever and for now") == "**** and ****"
    assert redact("for ever and for now") == "**** and for now"
