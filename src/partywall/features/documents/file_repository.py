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
from partywall.features.documents.constants import CHARSET, MAX_METADATA_BYTES

_FIND: Final = text("""
SELECT media_type, original_key, original_name, original_size, external_id,
    coalesce(metadata ->> 'charset', '') AS charset FROM document
WHERE project_id = :project_id AND id = :id AND unread_title IS NOT NULL AND deleted_at IS NULL
""")
_LOCK: Final = text("""
SELECT title, version, content_sha256, unread_title, EXISTS (
    SELECT FROM document_version AS v
    WHERE v.project_id = d.project_id AND v.document_id = d.id AND v.number = d.version
) AS has_version
FROM document AS d
WHERE project_id = :project_id AND id = :id AND original_key = :key AND unread_title IS NOT NULL AND deleted_at IS NULL
FOR NO KEY UPDATE
""")
# A trigger keeps a text as a former one when its successor comes with another hash. Before the first version there is
# no text to keep, so the hash goes ahead.
_HASH: Final = text("UPDATE document SET content_sha256 = :sha256 WHERE project_id = :project_id AND id = :id")
_TEXT: Final = text("""
UPDATE document SET content = :content, size = :size, content_sha256 = :sha256
WHERE project_id = :project_id AND id = :id
""")
_READ: Final = text("""
UPDATE document SET version = :version, title = :title, unread_title = NULL, unread_by = NULL, unread_note = NULL,
    media_type = coalesce(:media_type, media_type),
    metadata = CASE WHEN octet_length(CAST(more AS text)) <= :most THEN more ELSE metadata END,
    index_status = 'pending', index_error = NULL, state = state + 1, updated_at = clock_timestamp()
FROM (
    SELECT unread_by AS uploader, CAST(:found AS jsonb) || metadata || CAST(:charset AS jsonb) AS more FROM document
    WHERE project_id = :project_id AND id = :id
) AS wanted
WHERE project_id = :project_id AND id = :id
RETURNING coalesce(uploader, created_by)
""")
_VERSION: Final = text("""
INSERT INTO document_version (project_id, document_id, number, title, size, content_sha256, created_by, created_at)
SELECT project_id, id, version, title, size, content_sha256, :uploader, updated_at FROM document
WHERE project_id = :project_id AND id = :id
""")
_FAIL: Final = text("""
UPDATE document SET unread_note = :reason, state = state + 1,
    index_status = CASE WHEN is_indexing THEN index_status ELSE 'failed' END,
    index_error = CASE WHEN is_indexing THEN index_error ELSE :reason END
FROM (
    SELECT index_status = 'pending' AND (index_error IS NULL OR index_error NOT LIKE 'reading:%') AS is_indexing
    FROM document WHERE project_id = :project_id AND id = :id FOR NO KEY UPDATE
) AS earlier_text
WHERE project_id = :project_id AND id = :id AND original_key = coalesce(CAST(:key AS text), original_key)
    AND unread_title IS NOT NULL AND deleted_at IS NULL
RETURNING version, revision, index_status
""")


@dataclass(frozen=True, slots=True)
class FileToRead:
    media_type: str
    key: str
    name: str | None
    size: int
    external_id: str | None
    charset: str


@dataclass(frozen=True, slots=True)
class TextToStore:
    """`key` is that of the file. `metadata` is added where its keys are not set; its charset replaces what was said.

    `media_type` is given if the file's name did not tell it.
    """

    key: str
    title: str
    content: str
    size: int
    sha256: str
    metadata: JsonObject
    media_type: str | None = None


@dataclass(frozen=True, slots=True)
class FileReader:
    session: AsyncReadSession
    scope: ProjectScope

    async def find(self, id_: UUID) -> FileToRead | None:
        """None if the document has the text of its file, or another one, or is gone."""
        row = (await self.session.execute(_FIND, {"project_id": self.scope.project_id, "id": id_})).one_or_none()
        return None if row is None else FileToRead(*row)


@dataclass(frozen=True, slots=True)
class FileWriter:
    session: AsyncSession
    scope: ProjectScope

    async def store(self, id_: UUID, found: TextToStore) -> None:
        """Store the text, to be indexed. It makes a version if it is the first one, or text or title differ.

        Stores nothing if the document has got a text or another file meanwhile.
        """
        ids = {"project_id": self.scope.project_id, "id": id_}
        locked = (await self.session.execute(_LOCK, {**ids, "key": found.key})).one_or_none()
        if locked is None:
            return
        title = found.title if locked.title == locked.unread_title else locked.title
        has_other_text = found.sha256 != locked.content_sha256 or not locked.has_version
        makes_version = has_other_text or title != locked.title
        text_of_file = {**ids, "content": found.content, "size": found.size, "sha256": found.sha256}
        if not locked.has_version:
            await self.session.execute(_HASH, {**ids, "sha256": found.sha256})
        if has_other_text:
            await self.session.execute(_TEXT, text_of_file)
        values = {
            **ids, "charset": json.dumps({key: said for key, said in found.metadata.items() if key == CHARSET}),
            "title": title, "version": locked.version + (locked.has_version and makes_version),
            "found": json.dumps(found.metadata), "most": MAX_METADATA_BYTES, "media_type": found.media_type,
        }  # fmt: skip
        uploader = await self.session.scalar(_READ, values)
        if makes_version:
            await self.session.execute(_VERSION, {**ids, "uploader": uploader})

    async def fail(self, id_: UUID, reason: str, key: str | None) -> Row[int, int, str] | None:
        """Version, revision and index status; None if it has got a text or another file than `key`, or is gone.

        While an earlier text is being indexed it stays pending, and fails after that.
        """
        values = {"project_id": self.scope.project_id, "id": id_, "reason": reason, "key": key}
        return (await self.session.execute(_FAIL, values)).one_or_none()
