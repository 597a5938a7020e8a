"""Writes another uploaded file of a document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import bindparam, func, update

from partywall.core.db.session import AsyncSession
from partywall.core.schemas import JsonObject
from partywall.core.tenancy import SharedScope
from partywall.features.documents.models import DOCUMENT


@dataclass(frozen=True, slots=True)
class ReplacementWriter:
    session: AsyncSession
    scope: SharedScope

    async def write(self, id_: UUID, values: Mapping[str, str | int | JsonObject | None]) -> int:
        """Write these columns and return the new revision. A database trigger keeps a replaced text."""
        given = {name: bindparam(f"new_{name}", type_=DOCUMENT.c[name].type) for name in values}
        statement = (
            update(DOCUMENT)
            .where(DOCUMENT.c.project_id == self.scope.project_id, DOCUMENT.c.id == id_)
            .values(**given, revision=DOCUMENT.c.revision + 1, updated_at=func.clock_timestamp())
            .returning(DOCUMENT.c.revision)
        )
        bound = {f"new_{name}": value for name, value in values.items()}
        revision: int = (await self.session.execute(statement, bound)).scalar_one()
        return revision
