"""The streams of a file of Office 97-2003, which is a small file system (MS-CFB)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final

_HEADER: Final = 512
_ENTRY: Final = 128
_NAME_BYTES: Final = 64
_SMALL_SECTOR: Final = 64
_IN_HEADER: Final = 109  # sectors of the table that the header lists
_LAST_SECTOR: Final = 0xFFFFFFFA  # larger numbers mark ends and free sectors
_SECTOR_SIZES: Final = {9: 512, 12: 4096}


class OleError(Exception):
    """The file is not one of this kind, or it is damaged."""


class OleFile:
    """Reads each stream in time linear in the file, whatever its tables say."""

    def __init__(self, data: bytes) -> None:
        if len(data) < _HEADER:
            raise OleError
        self._data = data
        (shift,) = struct.unpack_from("<H", data, 30)
        self._size = _SECTOR_SIZES.get(shift, 0)
        if not self._size:
            raise OleError
        directory, self._large, small_table = struct.unpack_from("<I4xII", data, 48)
        self._table = self._words(self._table_sectors())
        self._small_table = self._words(self._chain(self._table, small_table))
        found = self._joined(self._chain(self._table, directory))
        self._entries = [found[at : at + _ENTRY] for at in range(0, len(found) - _ENTRY + 1, _ENTRY)]

    def stream(self, name: str) -> bytes:
        """Raises OleError if there is none."""
        wanted = f"{name}\0".encode("utf-16-le").ljust(_NAME_BYTES, b"\0")
        entry = next((each for each in self._entries if each.startswith(wanted)), None)
        if entry is None:
            raise OleError
        start, size = struct.unpack_from("<II", entry, 116)
        if size >= self._large:
            return self._joined(self._chain(self._table, start))[:size]
        (root,) = struct.unpack_from("<I", self._entries[0], 116)
        small = self._joined(self._chain(self._table, root))
        places = (number * _SMALL_SECTOR for number in self._chain(self._small_table, start))
        return b"".join(small[at : at + _SMALL_SECTOR] for at in places)[:size]

    def _table_sectors(self) -> Iterator[int]:
        yield from struct.unpack_from(f"<{_IN_HEADER}I", self._data, 76)
        (number,) = struct.unpack_from("<I", self._data, 68)
        for _ in range(len(self._data) // self._size):
            if number > _LAST_SECTOR:
                return
            *sectors, number = self._words([number]) or [number]
            yield from sectors

    def _words(self, sectors: Iterator[int] | list[int]) -> list[int]:
        written = self._joined(sectors)
        return list(struct.unpack(f"<{len(written) // 4}I", written[: len(written) // 4 * 4]))

    def _chain(self, table: list[int], number: int) -> Iterator[int]:
        for _ in table:
            if number >= len(table):
                return
            yield number
            number = table[number]

    def _joined(self, sectors: Iterator[int] | list[int]) -> bytes:
        starts = ((number + 1) * self._size for number in sectors if number <= _LAST_SECTOR)
        return b"".join(self._data[at : at + self._size] for at in starts)
