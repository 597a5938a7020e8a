"""Recognises a full disk or memory, as reported by the file system, PostgreSQL or Valkey."""

from __future__ import annotations

import errno
from datetime import timedelta
from typing import Final

import asyncpg
from redis.exceptions import OutOfMemoryError, ResponseError

from partywall.core.errors import UnavailableError

# ENOSPC and EDQUOT are the disk; EFBIG is a limit of the process or the file system.
_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# PostgreSQL has a code for the first only, and repeats the system's message for the others.
_WORDS: Final = ("No space left on device", "Disk quota exceeded", "File too large")
_SYSTEM: Final = (asyncpg.InternalServerError, asyncpg.PostgresSystemError)
_RETRY_SECONDS: Final = "30"
# After which a job that needs the storage tries again.
WHILE_AWAY: Final = timedelta(seconds=20)
# A disk or share that is gone, broken or read-only, or too many open files.
_AWAY: Final = frozenset(
    {errno.EIO, errno.ESTALE, errno.EROFS, errno.ENODEV, errno.ENXIO, errno.EREMOTEIO, errno.EMFILE, errno.ENFILE}
)


class StorageFullError(UnavailableError):
    code = "insufficient_storage"
    title = "There is not enough storage right now"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": _RETRY_SECONDS})


class StorageAwayError(UnavailableError):
    def __init__(self) -> None:
        super().__init__("The storage is unavailable; try again.", headers={"Retry-After": _RETRY_SECONDS})


def is_storage_away(error: BaseException | None) -> bool:
    return isinstance(error, OSError) and error.errno in _AWAY


def is_full(error: BaseException | None) -> bool:
    match error:
        case OSError():
            return error.errno in _ERRNOS
        case asyncpg.DiskFullError() | OutOfMemoryError():
            return True
        case ResponseError():
            return str(error).startswith(("OOM", "MISCONF"))
        case _:
            return isinstance(error, _SYSTEM) and any(words in str(error) for words in _WORDS)
