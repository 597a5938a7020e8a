from __future__ import annotations

import json
import logging
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from io import TextIOWrapper
from typing import BinaryIO, Final, cast

import orjson
import structlog
from structlog.typing import Processor, WrappedLogger

from partywall.core.clock import utc_now
from partywall.core.current_request import request_facts
from partywall.core.http.access_log import AccessEntry, AccessLog
from partywall.core.log_masks import harmless, mask
from partywall.settings import LogSettings

_LINE: Final = orjson.OPT_UTC_Z | orjson.OPT_APPEND_NEWLINE


# uvicorn logs these as errors: the client left before the handshake, or our code, which logs it, dropped the
# connection.
_DISCONNECTED: Final = frozenset(
    {"ASGI callable returned without completing handshake.", "ASGI callable returned without completing response."}
)
# uvicorn closes such a connection with code 1007.
_INVALID_UTF8: Final = "Invalid UTF-8 sequence received from client."


# SQLAlchemy's pools log under the name of their class, and log at every shutdown that they are recreated.
_POOLS: Final = "partywall.core.db.pools"


def is_not_disconnect(record: logging.LogRecord) -> bool:
    """Whether a uvicorn record is about something other than a disconnected client."""
    return record.getMessage() not in _DISCONNECTED


def downgrade_client_error(record: logging.LogRecord) -> bool:
    """Logs a client's invalid UTF-8 as one line of level INFO; false if that level is not logged."""
    if record.getMessage() != _INVALID_UTF8:
        return True
    record.levelno, record.levelname = logging.INFO, "INFO"
    record.exc_info = record.exc_text = None
    return logging.getLogger().isEnabledFor(logging.INFO)


class _Lines:
    """Standard output. A failed write, such as to a full disk, does not fail the work that is logged."""

    def write(self, line: bytes) -> None:
        with suppress(OSError):
            sys.stdout.buffer.write(line)
            sys.stdout.buffer.flush()

    def flush(self) -> None: ...


def _merge_request(_: WrappedLogger, __: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    for name, value in request_facts().items():
        event.setdefault(name, value)
    return event


def _mask_values(_: WrappedLogger, __: str, event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    for name, value in event.items():
        if isinstance(value, str):
            event[name] = mask(value)
        elif isinstance(value, dict | list | tuple):
            event[name] = mask(str(value))
    return event


def _dumps(event: object, **_: object) -> bytes:
    try:
        return orjson.dumps(event, default=str)
    except TypeError:  # json can write both a lone surrogate and an integer that is too long
        return json.dumps(event, default=str).encode()


def _level(settings: LogSettings) -> int:
    return logging.getLevelNamesMapping()[settings.level.upper()]


def _as_json(settings: LogSettings) -> bool:
    return settings.format == "json" or (settings.format == "auto" and not sys.stdout.isatty())


def access_log(settings: LogSettings) -> AccessLog:
    """Logs each answered request. For speed, JSON lines skip structlog's processors, but they are masked as well."""
    if _level(settings) > logging.INFO:
        return lambda _: None
    return _write_access_line if _as_json(settings) else _log_access


def _write_access_line(entry: AccessEntry) -> None:
    line: dict[str, object] = {**entry, "event": "request", "level": "info", "timestamp": utc_now()}
    written = orjson.dumps(line, option=_LINE)
    if not harmless(written.decode()):
        written = orjson.dumps(_mask_values(None, "info", line), option=_LINE)
    _Lines().write(written)


def _log_access(entry: AccessEntry) -> None:
    structlog.get_logger("partywall.access").info("request", **entry)


def configure_logging(settings: LogSettings) -> None:
    """Logs JSON to stdout, or readable lines if that is a terminal; includes the standard library's loggers."""
    level = _level(settings)
    as_json = _as_json(settings)
    if not as_json and isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        _merge_request,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    tail: list[Processor] = (
        [
            structlog.processors.format_exc_info,
            _mask_values,
            structlog.processors.JSONRenderer(serializer=_dumps),
        ]
        if as_json
        else [structlog.processors.format_exc_info, _mask_values, structlog.dev.ConsoleRenderer()]
    )
    structlog.configure(
        processors=[*shared, *tail],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(cast("BinaryIO", _Lines()))
        if as_json
        else structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=True,
    )
    _bridge(level, as_json, shared)


def _bridge(level: int, as_json: bool, shared: list[Processor]) -> None:
    """Formats what libraries log through the standard library in the same way."""
    renderer: Processor = (
        structlog.processors.JSONRenderer(serializer=lambda event, **_: _dumps(event).decode())
        if as_json
        else structlog.dev.ConsoleRenderer()
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.add_logger_name],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _mask_values,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.INFO))
    logging.getLogger("uvicorn.error").addFilter(is_not_disconnect)
    logging.getLogger("uvicorn.error").addFilter(downgrade_client_error)
    for noisy in ("httpx2", "alembic", "uvicorn.error", "uvicorn", "mcp", _POOLS):
        logging.getLogger(noisy).setLevel(max(level, logging.WARNING))
