"""What operators do with documents, project by project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from partywall.core.db.session import Sessions
from partywall.core.tenancy import Principal, open_shared_scope
from partywall.features.documents.repository import DocumentWriter

AT_ONCE: Final = 500
_FIRST: Final = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Chosen:
    """Documents of that index status, or of any, whose note has this in it."""

    status: str | None
    note: str | None


async def reindex(sessions: Sessions, project_id: UUID, chosen: Chosen) -> int:
    """Has them indexed again, some in each transaction; how many. Raises ProjectNotFoundError."""
    count, after = 0, _FIRST
    while True:
        async with sessions.begin() as session:
            scope = await open_shared_scope(session, Principal.service(project_id), project_id)
            ids = await DocumentWriter(session, scope).await_index_of(chosen.status, chosen.note, after, AT_ONCE)
        if not ids:
            return count
        count, after = count + len(ids), ids[-1]
