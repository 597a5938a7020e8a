from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from partywall.core.tenancy import ProjectScope


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """`key` is its own and finds it again inside its project; `sha256` is hexadecimal; `size` is in bytes."""

    key: str
    sha256: str
    size: int


class BlobStore(Protocol):
    """Bytes outside the database. Every path is built from the scope, so a key of one project opens no other's."""

    async def put(self, scope: ProjectScope, chunks: AsyncIterator[bytes], *, max_bytes: int) -> StoredBlob:
        """Stores a stream; raises ContentTooLargeError past `max_bytes` and then keeps nothing.

        Raises ProjectNotFoundError where the project is deleted meanwhile.
        """
        ...

    def open(self, scope: ProjectScope, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes from `start` up to, not including, `end`; raises NotFoundError."""
        ...

    async def delete(self, scope: ProjectScope, key: str) -> None:
        """Forgets a blob; one that is not there is no error."""
        ...

    async def delete_project(self, project_id: UUID) -> None:
        """Forgets all blobs of a project that no longer exists, for which there can be no scope."""
        ...

    def stored_before(self, before: datetime) -> AsyncIterator[tuple[UUID, list[str]]]:
        """The keys of what was stored before then, some of one project at a time; a project without any has none.

        What was left unfinished before then is removed on the way.
        """
        ...

    async def ping(self) -> None: ...
