"""The documents whose text a worker reads from their uploaded file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import Row, text

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.schemas import JsonObject
from partywall.core.tenancy import ProjectScope
from partywall.features.documents.constants import MAX_METADATA_BYTES

_FIND: Final = text("""
SELECT title, media_type, original_key, original_name, original_size FROM document
WHERE project_id = :project_id AND id = :id AND size = 0 AND original_key IS NOT NULL AND deleted_at IS NULL
""")
_LOCK: Final = text("""
SELECT version, EXISTS (
    SELECT FROM document_version AS v
    WHERE v.project_id = d.project_id AND v.document_id = d.id AND v.number = d.version
) AS has_version
FROM document AS d
WHERE project_id = :project_id AND id = :id AND size = 0 AND original_key IS NOT NULL AND deleted_at IS NULL
FOR NO KEY UPDATE
""")
# A trigger keeps a text as a former one when its successor comes with another hash. Before the first version there is
# no text to keep, so the hash goes ahead.
_HASH: Final = text("UPDATE document SET content_sha256 = :sha256 WHERE project_id = :project_id AND id = :id")
_TEXT: Final = text("""
UPDATE document SET content = :content, size = :size, content_sha256 = :sha256, version = :version,
    title = CASE WHEN title = :former THEN :title ELSE title END,
    metadata = CASE WHEN octet_length(CAST(more AS text)) <= :most THEN more ELSE metadata END,
    index_status = 'pending', index_error = NULL, state = state + 1, updated_at = clock_timestamp()
FROM (
    SELECT CAST(:found AS jsonb) || metadata AS more FROM document WHERE project_id = :project_id AND id = :id
) AS wanted
WHERE project_id = :project_id AND id = :id
""")
_VERSION: Final = text("""
INSERT INTO document_version (project_id, document_id, number, title, size, content_sha256, created_by, created_at)
SELECT project_id, id, version, title, size, content_sha256, created_by, updated_at FROM document
WHERE project_id = :project_id AND id = :id
""")
_FAIL: Final = text("""
UPDATE document SET index_status = 'failed', index_error = :reason, state = state + 1
WHERE project_id = :project_id AND id = :id AND size = 0 AND original_key IS NOT NULL AND deleted_at IS NULL
RETURNING version, revision
""")


@dataclass(frozen=True, slots=True)
class FileToRead:
    title: str
    media_type: str
    key: str
    name: str | None
    size: int


@dataclass(frozen=True, slots=True)
class TextToStore:
    """`title` replaces `former`, the title made of the file's name. `metadata` is added where its keys are not set."""

    former: str
    title: str
    content: str
    size: int
    sha256: str
    metadata: JsonObject


@dataclass(frozen=True, slots=True)
class FileReader:
    session: AsyncReadSession
    scope: ProjectScope

    async def find(self, id_: UUID) -> FileToRead | None:
        """None if the document has a text, or is gone."""
        row = (await self.session.execute(_FIND, {"project_id": self.scope.project_id, "id": id_})).one_or_none()
        return None if row is None else FileToRead(*row)


@dataclass(frozen=True, slots=True)
class FileWriter:
    session: AsyncSession
    scope: ProjectScope

    async def store(self, id_: UUID, found: TextToStore) -> None:
        """Store the text as the first version, to be indexed; as another one if the title has been changed meanwhile.

        Stores nothing if there is a text already.
        """
        ids = {"project_id": self.scope.project_id, "id": id_}
        locked = (await self.session.execute(_LOCK, ids)).one_or_none()
        if locked is None:
            return
        if not locked.has_version:
            await self.session.execute(_HASH, {**ids, "sha256": found.sha256})
        values = {
            **ids, "former": found.former, "title": found.title, "content": found.content, "size": found.size,
            "sha256": found.sha256, "version": locked.version + locked.has_version,
            "found": json.dumps(found.metadata), "most": MAX_METADATA_BYTES,
        }  # fmt: skip
        await self.session.execute(_TEXT, values)
        await self.session.execute(_VERSION, ids)

    async def fail(self, id_: UUID, reason: str) -> Row[int, int] | None:
        """Version and revision of the document; None if it has a text, or is gone."""
        values = {"project_id": self.scope.project_id, "id": id_, "reason": reason}
        return (await self.session.execute(_FAIL, values)).one_or_none()
