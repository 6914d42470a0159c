"""Structured logs: readable on a terminal, JSON lines in the file and wherever a program reads.

Bind `order_id` and `slice_id` with `structlog.contextvars`, and every line until they are unbound
carries them, lines of other libraries too.
"""

import logging
import logging.config
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
from structlog.typing import Processor

from deepstack import private_files

FILE_BYTES = 20_000_000
FILES_KEPT = 5

_QUIET = {
    # Two lines for every ETA task; what a slice did is logged by the slice itself.
    "celery.worker.strategy": "WARNING",
    "celery.app.trace": "WARNING",
    "celery.beat": "WARNING",  # a line every few seconds
    "apprise": "CRITICAL",  # its words may hold an address; the channel says what came of it
    # A line for each attempt to export; `deepstack.observability.otlp` says what came of them.
    "opentelemetry": "CRITICAL",
    "authlib": "INFO",  # its DEBUG lines hold what a login is proved by
    "flower.inspector": "ERROR",  # asks workers that are still starting
}

_EVERY_LINE: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def configure(*, level: str, file: Path) -> None:
    """Send every logger of this process to stderr and to `file`, which processes may share.

    A file that cannot be written is reported on stderr, and the console serves alone.
    """
    handlers = {"console": _console()}
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        private_files.append_to(file).close()
        handlers["file"] = _rotating(file)
    except OSError as error:
        print(f"no log file, only the console: {error}", file=sys.stderr)  # noqa: T201
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "json": _formatter(
                    structlog.processors.format_exc_info,
                    structlog.processors.JSONRenderer(default=str),
                ),
                # Plain tracebacks: the rich ones print local variables, secrets among them.
                "readable": _formatter(
                    structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
                ),
            },
            "handlers": handlers,
            "root": {"level": level, "handlers": list(handlers)},
            "loggers": {name: {"level": quiet} for name, quiet in _QUIET.items()},
        }
    )
    logging.captureWarnings(True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *_EVERY_LINE,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


@contextmanager
def only_warnings_on_the_console() -> Iterator[None]:
    """While a command runs that prints its result itself. The file still gets every line; where
    there is none, or LOG_LEVEL asks for DEBUG, the console does too."""
    root = logging.getLogger()
    consoles = [handler for handler in root.handlers if type(handler) is logging.StreamHandler]
    if len(consoles) == len(root.handlers) or root.level <= logging.DEBUG:
        yield
        return
    before = {handler: handler.level for handler in consoles}
    try:
        for handler in consoles:
            handler.setLevel(logging.WARNING)
        yield
    finally:
        for handler, level in before.items():
            handler.setLevel(level)


def _console() -> dict[str, Any]:
    return {
        "class": "logging.StreamHandler",
        "formatter": "readable" if sys.stderr.isatty() else "json",
    }


def _rotating(file: Path) -> dict[str, Any]:
    return {
        "class": "concurrent_log_handler.ConcurrentRotatingFileHandler",
        "formatter": "json",
        "filename": str(file),
        "maxBytes": FILE_BYTES,
        "backupCount": FILES_KEPT,
        "encoding": "utf-8",
        "chmod": private_files.MODE,
    }


def _formatter(*renderers: Processor) -> dict[str, Any]:
    return {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": _EVERY_LINE,
        "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
    }
