"""After a change of the model: documents that the new one could not read whole say so."""

from __future__ import annotations

from partywall.core.jobs.context import JobContext
from partywall.features.documents import index_queue as documents
from partywall.features.search.constants import CHUNKS_AT_ONCE
from partywall.features.search.fault_repository import FaultReader
from partywall.features.search.index_repository import IndexReader, KnownIndex
from partywall.features.search.jobs import RecheckDocuments
from partywall.features.search.passage_vectors import waits_for


async def recheck_documents(context: JobContext, payload: RecheckDocuments) -> None:
    """Returns them to the index queue, which settles them with the faults that are stored in the index."""
    async with context.read(payload) as (session, scope):
        known = await IndexReader(session, scope).indexes()
    index = next((each for each in known if each.id == payload.index and each.status == "active"), None)
    after: int | None = None if index is None else 0
    while index is not None and after is not None:
        after = await _recheck(context, payload, index, after)
        context.progressed()


async def _recheck(context: JobContext, payload: RecheckDocuments, index: KnownIndex, after: int) -> int | None:
    """The number of the last chunk; None if none was left."""
    async with context.begin(payload) as (session, scope):
        found = await FaultReader(session, scope).after(index, after, CHUNKS_AT_ONCE)
        ids = sorted({each.document_id for each in found})
        await documents.await_vectors(session, scope, ids, waits_for(""))
    return found[-1].number if found else None
