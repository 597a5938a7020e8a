from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Integer, Row, Uuid, and_, column, func, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from partywall.core.db.session import AsyncReadSession
from partywall.core.tenancy import ProjectScope
from partywall.features.documents.models import Document


@dataclass(frozen=True, slots=True)
class IndexingRepository:
    session: AsyncReadSession
    scope: ProjectScope

    async def texts(self, ids: Sequence[UUID]) -> list[Row[UUID, str, str, str, int]]:
        query = select(Document.id, Document.title, Document.content, Document.media_type, Document.version).where(
            Document.project_id == self.scope.project_id, Document.id == func.any(literal(list(ids), ARRAY(Uuid)))
        )
        return list((await self.session.execute(query)).all())

    async def ids(self, after: UUID | None, limit: int) -> list[UUID]:
        query = select(Document.id).where(Document.project_id == self.scope.project_id)
        if after is not None:
            query = query.where(Document.id > after)
        return list(await self.session.scalars(query.order_by(Document.id).limit(limit)))

    async def mark(
        self, indexed: Sequence[tuple[UUID, int]], status: str, error: str | None
    ) -> list[Row[UUID, int, int]]:
        """Locks in the order of the ids, so that two workers cannot wait for each other."""
        ids, versions = [id_ for id_, _ in indexed], [version for _, version in indexed]
        given = (
            func.unnest(literal(ids, ARRAY(Uuid)), literal(versions, ARRAY(Integer)))
            .table_valued(column("id", Uuid), column("version", Integer), name="given")
            .render_derived()
        )
        current = (
            select(Document.id)
            .join(given, and_(given.c.id == Document.id, given.c.version == Document.version))
            .where(Document.project_id == self.scope.project_id)
            .order_by(Document.id)
            .with_for_update(of=Document)
            .cte("current")
        )
        statement = (
            update(Document)
            .where(Document.project_id == self.scope.project_id, Document.id == current.c.id)
            .values(index_status=status, index_error=error, state=Document.state + 1)
            .returning(Document.id, Document.version, Document.revision)
        )
        return list((await self.session.execute(statement, execution_options={"synchronize_session": False})).all())
