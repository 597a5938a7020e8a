from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from partywall.core.errors import UnavailableError


class DatabaseAwayError(UnavailableError):
    """What was sent may or may not have been done."""

    def __init__(self) -> None:
        super().__init__("The database is away; try again.", headers={"Retry-After": "1"})


_AWAY: Final = (
    OSError,  # refused, reset or too slow
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shut down, not yet up, or cancelled by the statement's time limit
    asyncpg.InsufficientResourcesError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that is lost just when a statement begins
)


@contextmanager
def reported() -> Iterator[None]:
    """Says that the database is away where asyncpg says it in one of its many ways."""
    try:
        yield
    except _AWAY as error:
        if isinstance(error, ValueError):
            raise  # an argument of the wrong type is our own fault
        raise DatabaseAwayError from error
