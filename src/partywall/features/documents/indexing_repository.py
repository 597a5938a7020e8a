from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import (
    Integer,
    Row,
    TableValuedAlias,
    Text,
    Update,
    Uuid,
    and_,
    case,
    column,
    func,
    literal,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY

from partywall.core.db.session import AsyncReadSession
from partywall.core.tenancy import ProjectScope
from partywall.features.documents.constants import LANGUAGE
from partywall.features.documents.models import Document


@dataclass(frozen=True, slots=True)
class IndexingRepository:
    session: AsyncReadSession
    scope: ProjectScope

    async def sizes(self, ids: Sequence[UUID]) -> list[Row[UUID, int, int, int, bool]]:
        waiting = Document.index_status != literal("indexed")
        query = select(Document.id, Document.version, Document.size, Document.chunks, waiting).where(
            Document.project_id == self.scope.project_id, Document.id == func.any(literal(list(ids), ARRAY(Uuid)))
        )
        return list((await self.session.execute(query.order_by(Document.id))).all())

    async def texts(self, ids: Sequence[UUID]) -> list[Row[UUID, str, str, str, int, dict[str, JsonValue]]]:
        query = select(
            Document.id, Document.title, Document.content, Document.media_type, Document.version, Document.attributes
        ).where(Document.project_id == self.scope.project_id, Document.id == func.any(literal(list(ids), ARRAY(Uuid))))
        return list((await self.session.execute(query)).all())

    async def ids(self, after: UUID | None, limit: int) -> list[UUID]:
        query = select(Document.id).where(Document.project_id == self.scope.project_id)
        if after is not None:
            query = query.where(Document.id > after)
        return list(await self.session.scalars(query.order_by(Document.id).limit(limit)))

    async def mark_indexed(self, indexed: Sequence[tuple[UUID, int, int, str | None]]) -> list[Row[UUID, int, int]]:
        """Locks in the order of the ids, so that two workers cannot wait for each other."""
        given = _given(indexed)
        current = (
            select(Document.id, given.c.chunks)
            .join(
                given,
                and_(
                    given.c.id == Document.id,
                    given.c.version == Document.version,
                    given.c.language.is_not_distinct_from(_LANGUAGE),
                ),
            )
            .where(Document.project_id == self.scope.project_id)
            .order_by(Document.id)
            .with_for_update(of=Document)
            .cte("current")
        )
        statement = (
            update(Document)
            .where(Document.project_id == self.scope.project_id, Document.id == current.c.id)
            .values(index_status="indexed", index_error=None, chunks=current.c.chunks, state=Document.state + 1)
        )
        return await self._marked(statement)

    async def mark_failed(self, id_: UUID, version: int, error: str) -> list[Row[UUID, int, int]]:
        statement = (
            update(Document)
            .where(
                Document.project_id == self.scope.project_id,
                Document.id == id_,
                Document.version == version,
            )
            .values(index_status="failed", index_error=error, state=Document.state + 1)
        )
        return await self._marked(statement)

    async def _marked(self, statement: Update) -> list[Row[UUID, int, int]]:
        returning = statement.returning(Document.id, Document.version, Document.revision)
        return list((await self.session.execute(returning, execution_options=_NO_SYNC)).all())


_NO_SYNC: Final = {"synchronize_session": False}
# As `language_of` reads it.
_LANGUAGE: Final = case(
    (
        func.jsonb_typeof(Document.attributes[LANGUAGE]) == literal_column("'string'", Text),
        Document.attributes[LANGUAGE].astext,
    )
)


def _given(indexed: Sequence[tuple[UUID, int, int, str | None]]) -> TableValuedAlias:
    ids, versions, chunks, languages = zip(*indexed, strict=True) if indexed else ((), (), (), ())
    return (
        func.unnest(
            literal(list(ids), ARRAY(Uuid)),
            literal(list(versions), ARRAY(Integer)),
            literal(list(chunks), ARRAY(Integer)),
            literal(list(languages), ARRAY(Text)),
        )
        .table_valued(
            column("id", Uuid),
            column("version", Integer),
            column("chunks", Integer),
            column("language", Text),
            name="given",
        )
        .render_derived()
    )
