"""Where a large body waits until it is whole: on disk, so that a slow client holds no memory."""

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
from partywall.core.storage import StorageFullError, is_full

log = structlog.get_logger(__name__)

# What stays free on the disk for everything else: of a small disk a tenth.
RESERVE_BYTES: Final = 256 * 1024 * 1024
_RESERVE_SHARE: Final = 10
_PIECE_BYTES: Final = 256 * 1024


@dataclass(slots=True)
class SpooledBody:
    """A file without a name: it is gone with its handle, or with the process."""

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
    """The files of one process. What they may hold is counted before they are written."""

    def __init__(self, directory: Path, budget: SharedBudget[str]) -> None:
        self._directory = directory
        self._budget = budget

    @asynccontextmanager
    async def open(self, caller: str, size: int, seconds: float = 0.0) -> AsyncIterator[SpooledBody]:
        """For about that size; waits so long for room. Raises BudgetSpentError and StorageFullError."""
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


def _write(file: IO[bytes], piece: bytes) -> None:
    """All of it: a raw file may take less, as a disk does that is nearly full."""
    rest = memoryview(piece)
    while rest:
        rest = rest[file.write(rest) :]
