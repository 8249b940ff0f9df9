"""Logging: one event a line, for people on a terminal and as JSON otherwise.

An event has a short constant text and its facts as keys. Neither a secret nor a cell's value is ever one of them: the
modules that log hold to it, and a test greps the log of a daemon that was fed both.
"""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Literal, TextIO, cast

# structlog loads rich where it is installed, for tracebacks that this log never shows: a tenth of a daemon's start.
if "rich" not in sys.modules:
    sys.modules["rich"] = None  # type: ignore[assignment]  # the import system's way to say "not installed"
    import structlog

    del sys.modules["rich"]
else:
    import structlog

if TYPE_CHECKING:
    from structlog.typing import FilteringBoundLogger, Processor

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def configure(
    level: str, form: Literal["auto", "human", "json"], stream: TextIO = sys.stderr
) -> None:
    """Sets up structlog, and routes what libraries log through it."""
    human = form == "human" or (form == "auto" and stream.isatty())
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if human:
        # Plain: where rich is installed, the default would print every frame's variables, secrets and cells with them.
        last: list[Processor] = [
            structlog.dev.ConsoleRenderer(
                colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        ]
    else:
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.WriteLoggerFactory(file=cast("TextIO", _Steady(stream))),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(LEVELS[level], logging.WARNING))
    logging.getLogger("psycopg.pool").setLevel(
        logging.ERROR
    )  # it warns of every attempt; the pool says it once


class _Steady:
    """A stream whose reader may die and whose disk may fill: what cannot be logged must not fail what was done."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            self._stream.flush()


def logger(name: str) -> FilteringBoundLogger:
    """Returns the logger of one module."""
    bound: FilteringBoundLogger = structlog.get_logger(component=name)
    return bound
