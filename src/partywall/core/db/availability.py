from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from partywall.core.errors import UnavailableError
from partywall.core.storage import StorageFullError, is_full


class DatabaseAwayError(UnavailableError):
    """What was sent may or may not have been done."""

    def __init__(self) -> None:
        super().__init__("The database is away; try again.", headers={"Retry-After": "1"})


class NoConnectionError(ConnectionError):
    """The network's error where a connection to the database was to be opened."""


_AWAY: Final = (
    OSError,  # refused, reset or too slow
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shut down, not yet up, or cancelled by the statement's time limit
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,  # a deadlock or a conflict that another one won
    asyncpg.LockNotAvailableError,  # waited for too long
    asyncpg.InvalidTransactionStateError,  # lasted too long, or was silent for too long
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that is lost just when a statement begins
)


def is_away(error: BaseException | None) -> bool:
    """Whether asyncpg's error is about the database being away, overloaded or out of time, not about the statement."""
    # ValueError: an argument of the wrong type is our own fault.
    return isinstance(error, _AWAY) and not isinstance(error, ValueError)


def session_is_away(error: Exception) -> bool:
    """The same, as a session of SQLAlchemy says it, or the network where a connection is opened."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeoutError | OSError)
    cause = None if error.orig is None else error.orig.__cause__
    return error.connection_invalidated or isinstance(error, InterfaceError) or is_away(cause)


class _Reported:
    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if is_full(error):
            raise StorageFullError from error
        if is_away(error):
            raise DatabaseAwayError from error


_REPORTED: Final = _Reported()


def reported() -> AbstractContextManager[None]:
    """Says that the database is away where asyncpg says it in one of its many ways."""
    return _REPORTED
