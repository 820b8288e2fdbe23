"""Logging swallows no stop."""

import sys

import pytest
import structlog

from sync import log
from sync.errors import Interrupted
from sync.redact import Redactor


def test_a_stop_that_strikes_while_a_line_is_written_is_not_lost(monkeypatch: pytest.MonkeyPatch):
    class Struck:
        def write(self, _: str) -> None:
            raise Interrupted("stopped by SIGTERM")

        def fileno(self) -> int:
            raise ValueError

        isatty = flush = lambda _: False

    log.set_up("info", Redactor())
    monkeypatch.setattr(sys, "stderr", Struck())
    with pytest.raises(Interrupted, match="SIGTERM"):
        structlog.get_logger("a").info("call.done")
