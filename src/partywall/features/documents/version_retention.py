"""Deletes versions that were replaced long ago, a batch in each transaction. Runs in workers."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy import DateTime, Integer, Uuid, bindparam, column, func, select

from partywall.core.clock import utc_now
from partywall.core.db.scopes import open_shared_scope
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, ProjectNotFoundError

log = structlog.get_logger(__name__)

VERSIONS_AT_ONCE: Final = 500
PROJECTS_AT_ONCE: Final = 500

_NIL: Final = UUID(int=0)
_PROJECTS: Final = select(
    func.wall.projects_after(bindparam("beyond", type_=Uuid), bindparam("most", type_=Integer))
    .table_valued(column("id", Uuid), name="projects")
    .c.id
)
_PRUNED = func.wall.prune_versions(
    bindparam("moment", type_=DateTime(timezone=True)), bindparam("document", type_=Uuid),
    bindparam("number", type_=Integer), bindparam("most", type_=Integer),
).table_valued(
    column("document_id", Uuid), column("number", Integer), column("removed", Integer), name="pruned"
)  # fmt: skip
_PRUNE: Final = select(_PRUNED.c.document_id, _PRUNED.c.number, _PRUNED.c.removed)


async def prune_versions(resources: Resources) -> None:
    """Keeps each version for the retention of the settings after another one has replaced it; the newest for ever."""
    retention = resources.settings.documents.version_retention
    if retention is None:
        return
    moment, removed, beyond = utc_now() - retention, 0, _NIL
    while True:
        async with resources.sessions.read() as session:
            projects = list(await session.scalars(_PROJECTS, {"beyond": beyond, "most": PROJECTS_AT_ONCE}))
        for project_id in projects:
            removed += await _prune(resources, project_id, moment)
        if not projects:
            break
        beyond = projects[-1]
    if removed:
        log.info("versions_pruned", versions=removed, before=moment.isoformat())


async def _prune(resources: Resources, project_id: UUID, moment: datetime) -> int:
    document, number, removed = _NIL, 0, 0
    while True:
        values = {"moment": moment, "document": document, "number": number, "most": VERSIONS_AT_ONCE}
        try:
            async with resources.sessions.begin() as session:
                await open_shared_scope(session, Principal.service(project_id), project_id)
                found = (await session.execute(_PRUNE, values)).one_or_none()
        except ProjectNotFoundError:
            return removed
        if found is None:
            return removed
        document, number, removed = found.document_id, found.number, removed + found.removed
