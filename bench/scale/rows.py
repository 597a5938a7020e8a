"""Rows as PostgreSQL's binary COPY reads them, made of arrays."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator, Sequence
from typing import Final
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from bench.scale.language import Floats, Numbers

type Bytes = NDArray[np.uint8]

_HEAD: Final = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
_END: Final = struct.pack(">h", -1)


def constant(value: bytes, count: int) -> Bytes:
    """The same field in each row: its length and its bytes."""
    field = np.frombuffer(struct.pack(">i", len(value)) + value, dtype=np.uint8)
    return np.broadcast_to(field, (count, len(field)))


def integers(values: Numbers, size: int) -> Bytes:
    """Integers of `size` bytes."""
    raw = np.ascontiguousarray(values.astype(f">i{size}")).view(np.uint8).reshape(len(values), size)
    return np.concatenate([constant(bytes(size), len(values))[:, :4], raw], axis=1)


def half_vectors(vectors: Floats) -> Bytes:
    count, dimension = vectors.shape
    raw = np.ascontiguousarray(vectors.astype(">f2")).view(np.uint8)
    head = np.frombuffer(struct.pack(">ihh", 4 + 2 * dimension, dimension, 0), dtype=np.uint8)
    return np.concatenate([np.broadcast_to(head, (count, 8)), raw], axis=1)


def rows(fields: Sequence[Bytes]) -> bytes:
    return _numbered(len(fields), fields).tobytes()


def rows_with_text(fields: Sequence[Bytes], texts: Bytes, lengths: Numbers) -> bytes:
    """A text is the last field; `texts` has one in each row, filled up to the longest."""
    ends = np.ascontiguousarray(lengths.astype(">i4")).view(np.uint8).reshape(len(lengths), 4)
    whole = np.concatenate([_numbered(len(fields) + 1, fields), ends, texts], axis=1)
    used = whole.shape[1] - texts.shape[1] + lengths
    written: bytes = whole[np.arange(whole.shape[1]) < used[:, None]].tobytes()
    return written


async def copied(body: bytes) -> AsyncIterator[bytes]:
    yield _HEAD
    yield body
    yield _END


def uuid_field(value: UUID, count: int) -> Bytes:
    return constant(value.bytes, count)


def _numbered(count: int, fields: Sequence[Bytes]) -> Bytes:
    head = np.frombuffer(struct.pack(">h", count), dtype=np.uint8)
    return np.concatenate([np.broadcast_to(head, (len(fields[0]), 2)), *fields], axis=1)
