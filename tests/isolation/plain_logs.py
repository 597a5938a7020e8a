"""Logging for tests whose requests fail on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import structlog


@contextmanager
def plain_logs() -> Iterator[None]:
    """structlog's default prints the locals of every frame, which takes seconds."""
    before = structlog.get_config()
    structlog.configure([structlog.processors.format_exc_info, structlog.processors.KeyValueRenderer()])
    try:
        yield
    finally:
        structlog.configure(**before)
