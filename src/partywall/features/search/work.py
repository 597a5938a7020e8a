from __future__ import annotations

from partywall.core.jobs.kinds import handles
from partywall.core.jobs.schedules import Schedule
from partywall.core.jobs.work import Work
from partywall.features.documents.jobs import INDEX_DOCUMENTS
from partywall.features.search.indexing import give_up, index_documents, index_large_document
from partywall.features.search.jobs import (
    BUILD_INDEX,
    CLEAR_INDEX,
    EMBED_CHUNKS,
    INDEX_LARGE_DOCUMENT,
    PROMOTE_VECTORS,
)
from partywall.features.search.promotion import promote_vectors
from partywall.features.search.reindexing import build_index, clear_index, embed_chunks, notice_change

work = Work(
    jobs=(
        handles(INDEX_DOCUMENTS, index_documents, concurrency=2, give_up=give_up),
        handles(INDEX_LARGE_DOCUMENT, index_large_document, give_up=give_up),
        handles(BUILD_INDEX, build_index),
        handles(EMBED_CHUNKS, embed_chunks),
        handles(PROMOTE_VECTORS, promote_vectors),
        handles(CLEAR_INDEX, clear_index),
    ),
    schedules=(Schedule("search_notice_model_change", "* * * * *", notice_change),),
)
