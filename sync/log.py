"""Logging to stderr: `noun.verb_past` with keys, and no secret in any line.

People get colours on a terminal, files and pipes get `key=value`, and systemd's journal the same
with the priority of each line and without a time of its own. Whoever collects lines can have each
as a JSON object.

Values are cleaned before a format writes them in its own way, and the finished line once more,
tracebacks and third parties' messages included, because that is the last place where a secret could
slip through.
"""

import logging
import sys
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

from sync.errors import Interrupted
from sync.systemd import is_journal, with_priority


class _Stderr(logging.StreamHandler[Any]):
    """Writes to what stderr is now, not to what it was when the handler was made."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """A stop that strikes while a line is written is no trouble with the line."""
        error = sys.exc_info()[1]
        if isinstance(error, Interrupted):
            raise error
        super().handleError(record)


class _RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    def __init__(self, redact: Callable[[str], str], **options: Any) -> None:
        super().__init__(**options)
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))


class _JournalFormatter(_RedactingFormatter):
    """Gives each line the priority that the journal sorts by."""

    def format(self, record: logging.LogRecord) -> str:
        priority = next(p for level, p in _PRIORITIES if record.levelno >= level)
        return with_priority(super().format(record), priority)


_PRIORITIES = (
    (logging.CRITICAL, 2),
    (logging.ERROR, 3),
    (logging.WARNING, 4),
    (logging.INFO, 6),
    (0, 7),
)
"""(the least level, its priority of syslog), the worst first."""


def set_up(level: str, redact: Callable[[str], str], form: str = "plain") -> None:
    """Send every log line of this process to stderr.

    Args:
        level: the least that is shown: `debug`, `info`, `warning`.
        redact: takes secrets out of a text.
        form: of a line: `plain` or `json`.
    """
    to_journal, is_json = is_journal(), form == "json"
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.format_exc_info,
    ]
    if is_json or not to_journal:
        shared.insert(2, structlog.processors.TimeStamper(fmt="iso", utc=True))
    handler = _Stderr()
    formatter = _JournalFormatter if to_journal else _RedactingFormatter
    handler.setFormatter(
        formatter(
            redact,
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _cleaner(redact),
                structlog.processors.JSONRenderer() if is_json else _plain(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # These tell URLs at debug, or every request or heartbeat at info.
    for name in ("alembic", "werkzeug", "waitress", "apscheduler"):
        logging.getLogger(name).setLevel(logging.WARNING)
    # It tells them in its warnings, too.
    logging.getLogger("urllib3").setLevel(logging.ERROR)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )


def _plain() -> Any:
    if sys.stderr.isatty():
        return structlog.dev.ConsoleRenderer(pad_event_to=0, sort_keys=False)
    return structlog.processors.LogfmtRenderer(
        key_order=["timestamp", "level", "event"], bool_as_flag=False, drop_missing=True
    )


def _cleaner(redact: Callable[[str], str]) -> Any:
    """Take secrets out of values while they are spelt as they were learnt."""

    def cleaned(value: Any) -> Any:
        if isinstance(value, int | float | None):
            return value
        if isinstance(value, list | tuple):
            return [cleaned(each) for each in value]
        return redact(str(value))

    def clean(_: Any, __: str, event: MutableMapping[str, Any]) -> dict[str, Any]:
        return {key: cleaned(value) for key, value in event.items()}

    return clean
