"""Logging to stderr: `noun.verb_past` with keys, and no secret in any line.

The finished line is cleaned, tracebacks and third parties' messages included, because that is the
last place where a secret could slip through.
"""

import logging
import sys
from collections.abc import Callable
from typing import Any

import structlog


class _Stderr(logging.StreamHandler[Any]):
    """Writes to what stderr is now, not to what it was when the handler was made."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> Any:
        return sys.stderr


class _RedactingFormatter(structlog.stdlib.ProcessorFormatter):
    def __init__(self, redact: Callable[[str], str], **options: Any) -> None:
        super().__init__(**options)
        self._redact = redact

    def format(self, record: logging.LogRecord) -> str:
        return self._redact(super().format(record))


def set_up(level: str, redact: Callable[[str], str]) -> None:
    """Send every log line of this process to stderr.

    Args:
        level: the least that is shown: `debug`, `info`, `warning`.
        redact: takes secrets out of a text.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    is_terminal = sys.stderr.isatty()
    renderer: Any = (
        structlog.dev.ConsoleRenderer(pad_event_to=0)
        if is_terminal
        else structlog.processors.LogfmtRenderer(
            key_order=["timestamp", "level", "event"], bool_as_flag=False
        )
    )
    handler = _Stderr()
    handler.setFormatter(
        _RedactingFormatter(
            redact,
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # These tell URLs at debug, or every request at info.
    for name in ("urllib3", "alembic", "werkzeug", "waitress"):
        logging.getLogger(name).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
