"""The interface of the stores for uploaded files; the adapters are in `adapters/blobs`."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol
from uuid import UUID

from partywall.core.errors import ContentTooLargeError
from partywall.core.ids import new_id
from partywall.core.tenancy import ProjectScope

KEY: Final = re.compile(r"[0-9a-f]{64}-[0-9a-f]{16}")
PROJECT: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")

# Begins the content again with each call: a store may have to read it twice.
type Chunks = Callable[[], AsyncIterator[bytes]]


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A stored blob. `key` finds it within its project; `sha256` is hexadecimal; `size` is in bytes."""

    key: str
    sha256: str
    size: int


class BlobStore(Protocol):
    """Stores bytes outside the database. Paths contain the scope, so one project's key opens no other's blob.

    Every method raises StorageAwayError, StorageFullError or OSError if the store does not answer.
    """

    async def put(self, scope: ProjectScope, chunks: Chunks, *, max_bytes: int) -> StoredBlob:
        """Stores a stream; raises ContentTooLargeError past `max_bytes`. A blob is stored as a whole or not at all.

        Raises ProjectNotFoundError if the project is deleted meanwhile.
        """
        ...

    def open(self, scope: ProjectScope, key: str, start: int, end: int) -> AsyncIterator[bytes]:
        """The bytes from `start` up to, not including, `end`; raises NotFoundError."""
        ...

    def link(self, scope: ProjectScope, key: str, *, content_type: str, disposition: str) -> str | None:
        """An address at which anybody can read the blob for a short time; None if the store gives out none.

        The answer's Content-Type and Content-Disposition are part of its signature.
        """
        ...

    async def delete(self, scope: ProjectScope, *keys: str) -> None:
        """Deletes blobs; a missing one is no error."""
        ...

    async def delete_project(self, project_id: UUID) -> None:
        """Deletes all blobs of a project that no longer exists, for which there can be no scope."""
        ...

    def stored_before(self, before: datetime) -> AsyncIterator[tuple[UUID, list[str]]]:
        """Yields the keys of blobs stored before then, in batches of one project each."""
        ...

    async def remove_unfinished(self, before: datetime) -> int:
        """Removes what uploads begun before then have left behind; returns how many."""
        ...

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


def new_key(sha256: str) -> str:
    """A key that is given out once: a late deletion of equal content cannot delete a later upload."""
    return f"{sha256}-{new_id().hex[-16:]}"


class Digest:
    """The size and SHA-256 of pieces; raises ContentTooLargeError past `max_bytes`."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._sha256 = hashlib.sha256()
        self.size = 0

    def count(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > self._max_bytes:
            raise ContentTooLargeError(f"At most {self._max_bytes} bytes are accepted.")

    def update(self, chunk: bytes) -> None:
        self._sha256.update(chunk)

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()


async def digest_of(chunks: Chunks, max_bytes: int) -> Digest:
    digest = Digest(max_bytes)
    async for chunk in chunks():
        digest.count(chunk)
        await asyncio.to_thread(digest.update, chunk)
    return digest
