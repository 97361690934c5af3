"""Logging: entries of the services and of their libraries, in one form.

A log entry is an event in the past tense with fields (`log.info("batch_applied", records=12)`),
never names or addresses of customers, or bodies of messages. An entry about an item has its
`order_id` where it is known, and its `trace_id`.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import orjson
import structlog
from structlog.typing import EventDict, Processor

from services.runtime.config.settings import Settings

_SHARED: tuple[Processor, ...] = (
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.StackInfoRenderer(),
)

# At INFO these log a line for each request, metadata refresh or message.
_QUIET = ("aiokafka", "uvicorn.access", "uvicorn.error", "faststream", "kafka")


def configure_logging(
    settings: Settings, stream: TextIO | None = None, *, process: int | None = None
) -> None:
    """Write the log entries of services and libraries to `stream` (default: stderr).

    With `process`, each entry has this number, because several processes write to one stream.
    """

    def numbered(_: object, __: str, entry: EventDict) -> EventDict:
        if process is not None:
            entry["process"] = process
        return entry

    shared = (numbered, *_SHARED)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=list(shared),
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(settings.log_format),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    _remove_handlers()
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _remove_handlers() -> None:
    """Remove the handlers that libraries set up at import; their entries go to the root logger."""
    for logger in logging.root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.handlers.clear()
            logger.propagate = True


def _renderers(log_format: str) -> list[Processor]:
    if log_format == "console":
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    return [
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(serializer=_to_json),
    ]


def _to_json(entry: object, **_: object) -> str:
    return orjson.dumps(entry, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
