"""Purges deleted documents, one batch per transaction, and those whose time in the trash is over. Runs in workers."""

from __future__ import annotations

from typing import Final

import structlog
from sqlalchemy import BigInteger, DateTime, Integer, Uuid, bindparam, column, func, select

from partywall.core.clock import utc_now
from partywall.core.jobs.context import AnotherAttemptError, JobContext
from partywall.core.resources import Resources
from partywall.features.documents.jobs import PurgeDocument
from partywall.features.documents.trash import enqueue_purge

log = structlog.get_logger(__name__)

# Chunks, each with about a hundred postings and a vector per model.
ROWS_AT_ONCE: Final = 250
BYTES_AT_ONCE: Final = 8 * 1024 * 1024
SWEPT_AT_ONCE: Final = 1_000
EXPIRED_AT_ONCE: Final = 100

_PURGE: Final = select(
    func.wall.purge_document(
        bindparam("document", type_=Uuid), bindparam("most", type_=Integer), bindparam("bytes", type_=BigInteger)
    )
)
_DELETED = func.wall.deleted_documents(bindparam("most", type_=Integer)).table_valued(
    column("project_id", Uuid), column("document_id", Uuid), name="deleted"
)
_EXPIRED = func.wall.expire_trash(
    bindparam("moment", type_=DateTime(timezone=True)), bindparam("most", type_=Integer)
).table_valued(column("project_id", Uuid), column("document_id", Uuid), "original_key", name="expired")
_EXPIRE: Final = select(_EXPIRED.c.project_id, _EXPIRED.c.document_id, _EXPIRED.c.original_key)
_FIND: Final = select(_DELETED.c.project_id, _DELETED.c.document_id)


async def purge_document(context: JobContext, payload: PurgeDocument) -> None:
    """Purge one document, or of one in the trash the passages. A document that is not deleted is left alone.

    Deleted projects purge their own documents.
    """
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
            await enqueue_purge(session, project_id, document_id, None)


async def expire_trash(resources: Resources) -> None:
    """Deletes documents for good whose time in the trash is over, a batch in each transaction."""
    values, expired = {"moment": utc_now(), "most": EXPIRED_AT_ONCE}, EXPIRED_AT_ONCE
    while expired == EXPIRED_AT_ONCE:
        async with resources.sessions.begin() as session:
            rows = (await session.execute(_EXPIRE, values)).all()
            for project_id, document_id, blob in rows:
                await enqueue_purge(session, project_id, document_id, blob)
        expired = len(rows)
