from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from partywall.core.errors import UnavailableError


class DatabaseAwayError(UnavailableError):
    """What was sent may or may not have been done."""

    def __init__(self) -> None:
        super().__init__("The database is away; try again.", headers={"Retry-After": "1"})


@contextmanager
def reported() -> Iterator[None]:
    """Says that the database is away where asyncpg says it in one of its many ways."""
    try:
        yield
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError, asyncpg.CannotConnectNowError) as error:
        raise DatabaseAwayError from error
