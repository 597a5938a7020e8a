"""Purges documents that are marked as deleted, one batch per transaction. Runs in workers."""

from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy import BigInteger, Integer, Uuid, bindparam, column, func, select

from partywall.core.jobs.context import AnotherAttemptError, JobContext
from partywall.core.jobs.queue import enqueue_once
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal
from partywall.features.documents.jobs import PURGE_DOCUMENT, PurgeDocument

log = structlog.get_logger(__name__)

# Chunks, each with about a hundred postings and a vector per model.
ROWS_AT_ONCE: Final = 250
BYTES_AT_ONCE: Final = 8 * 1024 * 1024
SWEPT_AT_ONCE: Final = 1_000

_PURGE: Final = select(
    func.wall.purge_document(
        bindparam("document", type_=Uuid), bindparam("most", type_=Integer), bindparam("bytes", type_=BigInteger)
    )
)
_DELETED = func.wall.deleted_documents(bindparam("most", type_=Integer)).table_valued(
    column("project_id", Uuid), column("document_id", Uuid), name="deleted"
)
_FIND: Final = select(_DELETED.c.project_id, _DELETED.c.document_id)


async def purge_document(context: JobContext, payload: PurgeDocument) -> None:
    """Purge one document. A document that is not marked is left alone. Deleted projects purge their own documents."""
    values = {"document": payload.document_id, "most": ROWS_AT_ONCE, "bytes": BYTES_AT_ONCE}
    removed = ROWS_AT_ONCE
    while removed:
        if context.stopping.is_set():
            raise AnotherAttemptError("the worker is stopping")
        async with context.begin(payload) as (session, _):
            removed = await session.scalar(_PURGE, values) or 0
        context.progressed()


async def sweep_documents(resources: Resources) -> None:
    """Enqueue purges again that were lost or gave up."""
    async with resources.sessions.begin() as session:
        for project_id, document_id in (await session.execute(_FIND, {"most": SWEPT_AT_ONCE})).all():
            payload = PurgeDocument(
                project_id=project_id, principal=str(Principal.service(project_id)), document_id=document_id
            )
            await enqueue_once(session, PURGE_DOCUMENT, payload, document_id)
