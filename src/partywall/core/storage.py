"""A disk or a memory that is full, whoever finds it so: the file system, PostgreSQL or Valkey."""

from __future__ import annotations

import errno
from typing import Final

import asyncpg
from redis.exceptions import OutOfMemoryError, ResponseError

from partywall.core.errors import UnavailableError

# ENOSPC and EDQUOT are the disk, EFBIG a limit of the process or of the file system.
_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# PostgreSQL has a code for the first alone, and repeats the system's words for the others.
_WORDS: Final = ("No space left on device", "Disk quota exceeded", "File too large")
_SYSTEM: Final = (asyncpg.InternalServerError, asyncpg.PostgresSystemError)
_RETRY_SECONDS: Final = "30"
# A disk or a share that is gone, broken or mounted for reading alone; a process that may open no more files.
_AWAY: Final = frozenset(
    {errno.EIO, errno.ESTALE, errno.EROFS, errno.ENODEV, errno.ENXIO, errno.EREMOTEIO, errno.EMFILE, errno.ENFILE}
)


class StorageFullError(UnavailableError):
    code = "insufficient_storage"
    title = "There is no room for this right now"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": _RETRY_SECONDS})


class StorageAwayError(UnavailableError):
    def __init__(self) -> None:
        super().__init__("The storage is away; try again.", headers={"Retry-After": _RETRY_SECONDS})


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
