from __future__ import annotations

import time
from datetime import UTC, datetime


def utc_now() -> datetime:
    """The current instant, timezone-aware, in UTC."""
    return datetime.now(UTC)


def unix_time() -> float:
    """The current instant in seconds since 1970, the form that tokens carry."""
    return time.time()
