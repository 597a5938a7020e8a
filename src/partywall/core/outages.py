"""Classifies outages of the database, the cache and the storage, for every layer that answers requests."""

from __future__ import annotations

from typing import Final

import asyncpg
import structlog
from redis.exceptions import ConnectionError as CacheConnectionError
from redis.exceptions import ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as CacheTimeoutError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from partywall.core.db.driver_errors import DatabaseAwayError, NoConnectionError, is_away, session_is_away
from partywall.core.errors import PartywallError, UnavailableError
from partywall.core.log_masks import error_fields
from partywall.core.storage_errors import StorageAwayError, StorageFullError, is_full, is_storage_away

log = structlog.get_logger(__name__)

_DRIVER: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_SESSION: Final = (DBAPIError, PoolTimeoutError, NoConnectionError)
_CACHE_AWAY: Final = (CacheConnectionError, CacheTimeoutError, ReadOnlyError)
# Errors of an outage or of a bug: `outage_of` tells them apart.
ENGINE_ERRORS: Final = (OSError, RedisError, DBAPIError, PoolTimeoutError, *_DRIVER)


class CacheAwayError(UnavailableError):
    """Raised only if the operation needs the cache."""

    def __init__(self) -> None:
        super().__init__("The cache is unavailable; try again.", headers={"Retry-After": "1"})


def outage_of(error: BaseException) -> PartywallError | None:
    """The outage behind an error; None for a bug."""
    if isinstance(error, BaseExceptionGroup):
        return _of_all([outage_of(each) for each in error.exceptions])
    cause = _cause(error)
    if is_full(cause):
        log.warning("storage_full", **error_fields(error if cause is None else cause))
        return StorageFullError()
    if _is_database_away(error):
        log.warning("database_away", **error_fields(error))
        return DatabaseAwayError()
    if isinstance(error, _CACHE_AWAY):
        log.warning("cache_away", **error_fields(error))
        return CacheAwayError()
    if is_storage_away(error):
        log.warning("storage_away", **error_fields(error))
        return StorageAwayError()
    return None


def _of_all(found: list[PartywallError | None]) -> PartywallError | None:
    """For tasks that failed together: a bug among them must not look like an outage."""
    return None if None in found else found[0]


def _is_database_away(error: BaseException) -> bool:
    if isinstance(error, _SESSION):
        return session_is_away(error)
    return isinstance(error, _DRIVER) and is_away(error)


def _cause(error: BaseException) -> BaseException | None:
    """The driver's error, or the system's."""
    if not isinstance(error, DBAPIError):
        return error
    return None if error.orig is None else error.orig.__cause__
