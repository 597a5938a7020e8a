"""Stores large bodies on disk until they are complete, so that slow clients use no memory."""

from __future__ import annotations

import asyncio
import errno
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

import structlog

from partywall.core.budget import SharedBudget
from partywall.core.storage_errors import StorageFullError, is_full

log = structlog.get_logger(__name__)

# Disk space kept free for everything else; on a small disk, a tenth.
RESERVE_BYTES: Final = 256 * 1024 * 1024
_RESERVE_SHARE: Final = 10
_PIECE_BYTES: Final = 256 * 1024


@dataclass(slots=True)
class SpooledBody:
    """An unnamed file, deleted when it is closed or the process ends."""

    _file: IO[bytes]
    size: int = 0

    async def write(self, piece: bytes) -> None:
        self.size += len(piece)
        try:
            await asyncio.to_thread(_write, self._file, piece)
        except OSError as error:
            raise (StorageFullError() if is_full(error) else error) from error

    async def whole(self) -> bytes:
        return await asyncio.to_thread(self._read, -1, rewind=True)

    async def pieces(self) -> AsyncIterator[bytes]:
        piece = await asyncio.to_thread(self._read, _PIECE_BYTES, rewind=True)
        while piece:
            yield piece
            piece = await asyncio.to_thread(self._read, _PIECE_BYTES)

    def _read(self, size: int, *, rewind: bool = False) -> bytes:
        if rewind:
            self._file.seek(0)
        return self._file.read(size)


class Spool:
    """The files of one process. Their space is reserved before they are written."""

    def __init__(self, directory: Path, budget: SharedBudget[str]) -> None:
        self._directory = directory
        self._budget = budget

    @asynccontextmanager
    async def open(self, caller: str, size: int, seconds: float = 0.0) -> AsyncIterator[SpooledBody]:
        """A file for about `size` bytes; waits `seconds` for space. Raises BudgetSpentError and StorageFullError."""
        async with self._budget.take(caller, size, seconds):
            try:
                file = await asyncio.to_thread(self._create, size)
            except OSError as error:
                raise (StorageFullError() if is_full(error) else error) from error
            try:
                yield SpooledBody(file)
            finally:
                file.close()

    def _create(self, size: int) -> IO[bytes]:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        disk = shutil.disk_usage(self._directory)
        reserve = min(RESERVE_BYTES, disk.total // _RESERVE_SHARE)
        if disk.free < size + reserve:
            log.warning("storage_full", directory=str(self._directory), free=disk.free, needed=size + reserve)
            raise OSError(errno.ENOSPC, "too little space is left")
        return tempfile.TemporaryFile(dir=self._directory, buffering=0)


def keep_temporary_files(directory: Path) -> None:
    """The form parser writes files to this process's temporary directory, which may be memory by default."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    tempfile.tempdir = str(directory)


def _write(file: IO[bytes], piece: bytes) -> None:
    """Writes everything: a raw file may take less, such as on a nearly full disk."""
    rest = memoryview(piece)
    while rest:
        rest = rest[file.write(rest) :]
