"""What is away, full or out of time, whoever says so: the one table that every layer which answers looks into."""

from __future__ import annotations

from typing import Final

import asyncpg
import structlog
from redis.exceptions import ConnectionError as CacheConnectionError
from redis.exceptions import ReadOnlyError, RedisError
from redis.exceptions import TimeoutError as CacheTimeoutError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from partywall.core.db.availability import DatabaseAwayError, NoConnectionError, is_away, session_is_away
from partywall.core.errors import PartywallError, UnavailableError
from partywall.core.log_masks import error_fields
from partywall.core.storage import StorageAwayError, StorageFullError, is_full, is_storage_away

log = structlog.get_logger(__name__)

_DRIVER: Final = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_SESSION: Final = (DBAPIError, PoolTimeoutError, NoConnectionError)
_CACHE_AWAY: Final = (CacheConnectionError, CacheTimeoutError, ReadOnlyError)
# What may be about an engine, or about a fault of ours: `outage_of` tells them apart.
ENGINE_ERRORS: Final = (OSError, RedisError, DBAPIError, PoolTimeoutError, *_DRIVER)


class CacheAwayError(UnavailableError):
    """Only for what cannot be done without the cache."""

    def __init__(self) -> None:
        super().__init__("The cache is away; try again.", headers={"Retry-After": "1"})


def outage_of(error: BaseException) -> PartywallError | None:
    """The fact that the error stands for; None for what is our own fault."""
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
    """Of tasks that failed together: one fault of ours among them is not hidden behind an outage."""
    return None if None in found else found[0]


def _is_database_away(error: BaseException) -> bool:
    if isinstance(error, _SESSION):
        return session_is_away(error)
    return isinstance(error, _DRIVER) and is_away(error)


def _cause(error: BaseException) -> BaseException | None:
    """What the driver has said, or the system."""
    if not isinstance(error, DBAPIError):
        return error
    return None if error.orig is None else error.orig.__cause__
