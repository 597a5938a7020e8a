"""What errors of the driver mean: a violated constraint, an exceeded quota, or a database that is away or full."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from partywall.core.errors import PartywallError, QuotaExceededError, UnavailableError
from partywall.core.storage_errors import StorageFullError, is_full


class DatabaseAwayError(UnavailableError):
    """The database is unavailable. The statement may or may not have taken effect."""

    def __init__(self) -> None:
        super().__init__("The database is unavailable; try again.", headers={"Retry-After": "1"})


class NoConnectionError(ConnectionError):
    """A network error from the connection to the database."""


_QUOTA: Final = "quota_"
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


def exceeded_quota(error: BaseException | None) -> QuotaExceededError | None:
    """The domain error for an error raised by `wall.require_quota`; None for others."""
    if not isinstance(error, asyncpg.CheckViolationError):
        return None
    constraint = error.constraint_name or ""
    if not constraint.startswith(_QUOTA):
        return None
    numbers = [int(each) for each in (error.detail or "").split()]
    return QuotaExceededError(constraint.removeprefix(_QUOTA), *numbers, why=error.hint)


def violated(error: BaseException) -> str | None:
    """The name of the violated constraint or unique index, or None for other errors."""
    driver = error.orig.__cause__ if isinstance(error, IntegrityError) and error.orig else error
    return driver.constraint_name if isinstance(driver, asyncpg.IntegrityConstraintViolationError) else None


@contextmanager
def violations(named: Mapping[str, Callable[[], PartywallError]]) -> Iterator[None]:
    """Translates constraint violations into domain errors; `named` maps constraint names to error classes."""
    try:
        yield
    except (IntegrityError, asyncpg.IntegrityConstraintViolationError) as error:
        made = named.get(violated(error) or "")
        if made is None:
            raise
        raise made() from error


class _Reported:
    __slots__ = ()

    def __enter__(self) -> None: ...

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if error is None:
            return
        if (quota := exceeded_quota(error)) is not None:
            raise quota from error
        if is_full(error):
            raise StorageFullError from error
        if is_away(error):
            raise DatabaseAwayError from error


_REPORTED: Final = _Reported()


def reported() -> AbstractContextManager[None]:
    """Turns asyncpg's errors into DatabaseAwayError, StorageFullError or QuotaExceededError if they mean that."""
    return _REPORTED
