"""How documents begin, as they are indexed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple
from uuid import UUID

from sqlalchemy import text

from partywall.core.db.session import AsyncReadSession
from partywall.core.tenancy import ProjectScope
from partywall.features.search.constants import CONFIGURATIONS
from partywall.features.search.languages import EXAMINED

EXAMINED_CHUNKS: Final = 3
"""The passages at the beginning of a document by which its language is recognised."""

_WITHOUT_LANGUAGE: Final = text("""
SELECT document.id, document.title, document.chunks > 0 AND document.index_status <> 'pending' AS settled,
    CASE WHEN jsonb_typeof(metadata -> 'language') = 'string' THEN metadata ->> 'language' ELSE '' END AS tag, ARRAY(
    SELECT left(chunk.text, :examined) FROM chunk
    WHERE chunk.project_id = :project_id AND chunk.document_id = document.id AND chunk.staged_for IS NULL
    ORDER BY chunk.first LIMIT :chunks
) AS texts
FROM document
WHERE project_id = :project_id AND id > :after AND deleted_at IS NULL
    AND (
        jsonb_typeof(metadata -> 'language') IS DISTINCT FROM 'string'
        OR lower(split_part(translate(metadata ->> 'language', '_', '-'), '-', 1)) <> ALL (CAST(:known AS text[]))
    )
ORDER BY id LIMIT :limit
""")


class Beginning(NamedTuple):
    """`settled`: the document is indexed, and its texts are those of the index. `tag` is its metadata's, or empty."""

    id: UUID
    title: str
    settled: bool
    tag: str
    texts: Sequence[str]


def beginning(title: str, texts: Sequence[str]) -> str:
    """What a document's language is recognised by."""
    return "\n".join([title, *texts[:EXAMINED_CHUNKS]])


@dataclass(frozen=True, slots=True)
class BeginningReader:
    session: AsyncReadSession
    scope: ProjectScope

    async def without_language(self, after: UUID, limit: int) -> list[Beginning]:
        """Of documents with ids above `after`, in the order of their ids; without those of the usual languages."""
        values = {
            "project_id": self.scope.project_id, "after": after, "limit": limit,
            "examined": EXAMINED, "chunks": EXAMINED_CHUNKS, "known": sorted(CONFIGURATIONS),
        }  # fmt: skip
        return [Beginning(*row) for row in await self.session.execute(_WITHOUT_LANGUAGE, values)]
