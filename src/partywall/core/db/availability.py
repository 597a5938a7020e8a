"""Recognises errors that mean that the database is away, rather than that a statement is wrong."""

from __future__ import annotations

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from partywall.core.errors import UnavailableError
from partywall.core.storage_errors import StorageFullError, is_full


class DatabaseAwayError(UnavailableError):
    """The database is unavailable. The statement may or may not have taken effect."""

    def __init__(self) -> None:
        super().__init__("The database is unavailable; try again.", headers={"Retry-After": "1"})


class NoConnectionError(ConnectionError):
    """A network error from the connection to the database."""


_AWAY: Final = (
    OSError,  # refused, reset or too slow
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shutting down, starting up, or cancelled by the statement timeout
    asyncpg.InsufficientResourcesError,
    asyncpg.TransactionRollbackError,  # a deadlock or a lost conflict
    asyncpg.LockNotAvailableError,  # lock timeout
    asyncpg.InvalidTransactionStateError,  # transaction or idle timeout
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection lost just as a statement begins
)


def is_away(error: BaseException | None) -> bool:
    """Whether asyncpg's error means that the database is unavailable, overloaded or too slow; not a statement error."""
    # ValueError: an argument of the wrong type is a bug of ours.
    return isinstance(error, _AWAY) and not isinstance(error, ValueError)


def session_is_away(error: Exception) -> bool:
    """The same for errors of a SQLAlchemy session, or of the network while a connection is opened."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeoutError | OSError)
    return error.connection_invalidated or isinstance(error, InterfaceError) or is_away(driver_error(error))


def driver_error(error: DBAPIError) -> BaseException:
    """What asyncpg raised."""
    return error if error.orig is None else error.orig.__cause__ or error.orig


def first_line(error: DBAPIError) -> str:
    """What PostgreSQL said, without its details."""
    return next(iter(str(driver_error(error)).splitlines()), type(error).__name__)


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
    """Turns asyncpg's errors about an unavailable database into DatabaseAwayError, or StorageFullError if full."""
    return _REPORTED
