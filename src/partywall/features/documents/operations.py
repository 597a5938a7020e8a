"""Operator commands for the documents of a project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from partywall.core.db.scopes import open_shared_scope
from partywall.core.db.session import Sessions
from partywall.core.tenancy import Principal
from partywall.features.documents.repository import DocumentWriter

AT_ONCE: Final = 500
_FIRST: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Selects documents by index status and by a part of their note; None matches all."""

    status: str | None
    note: str | None


async def reindex(sessions: Sessions, project_id: UUID, chosen: Chosen) -> int:
    """Mark documents to be indexed again, in batches. Returns how many. Raises ProjectNotFoundError."""
    count, after = 0, _FIRST
    while True:
        async with sessions.begin() as session:
            scope = await open_shared_scope(session, Principal.service(project_id), project_id)
            ids = await DocumentWriter(session, scope).await_index_of(chosen.status, chosen.note, after, AT_ONCE)
        if not ids:
            return count
        count, after = count + len(ids), ids[-1]
