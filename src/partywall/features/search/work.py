from __future__ import annotations

from partywall.core.jobs.kinds import handles
from partywall.core.jobs.schedules import Schedule
from partywall.core.jobs.work import Work
from partywall.features.search.index_rebuild import build_index, clear_index, embed_chunks, notice_change
from partywall.features.search.indexer import index_documents
from partywall.features.search.jobs import (
    BUILD_INDEX,
    CLEAR_INDEX,
    EMBED_CHUNKS,
    PROMOTE_VECTORS,
    RECHECK_DOCUMENTS,
    SWEEP_CHUNKS,
)
from partywall.features.search.large_documents import sweep_chunks
from partywall.features.search.promotion import promote_vectors
from partywall.features.search.recheck import recheck_documents

work = Work(
    jobs=(
        handles(BUILD_INDEX, build_index),
        handles(EMBED_CHUNKS, embed_chunks),
        handles(PROMOTE_VECTORS, promote_vectors),
        handles(CLEAR_INDEX, clear_index),
        handles(RECHECK_DOCUMENTS, recheck_documents),
        handles(SWEEP_CHUNKS, sweep_chunks),
    ),
    loops={"indexing": index_documents},
    schedules=(Schedule("search_notice_model_change", "* * * * *", notice_change),),
)
