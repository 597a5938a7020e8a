from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from partywall.core.tenancy import ProjectScope


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A stored blob. `key` finds it within its project; `sha256` is hexadecimal; `size` is in bytes."""

    key: str
    sha256: str
    size: int


class BlobStore(Protocol):
    """Stores bytes outside the database. Paths contain the scope, so one project's key opens no other's blob."""

    async def put(self, scope: ProjectScope, chunks: AsyncIterator[bytes], *, max_bytes: int) -> StoredBlob:
        """Stores a stream; raises ContentTooLargeError past `max_bytes` and then stores nothing.

        Raises ProjectNotFoundError if the project is deleted meanwhile.
        """
        ...

    def open(self, scope: ProjectScope, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` up to, not including, `end`; raises NotFoundError."""
        ...

    async def delete(self, scope: ProjectScope, key: str) -> None:
        """Deletes a blob; a missing one is no error."""
        ...

    async def delete_project(self, project_id: UUID) -> None:
        """Deletes all blobs of a project that no longer exists, for which there can be no scope."""
        ...

    def stored_before(self, before: datetime) -> AsyncIterator[tuple[UUID, list[str]]]:
        """Yields the keys of blobs stored before then, in batches of one project each.

        Also removes unfinished uploads from before then.
        """
        ...

    async def ping(self) -> None: ...
