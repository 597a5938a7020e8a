from __future__ import annotations

from typing import Final

from partywall.core.feature import Feature, Tag
from partywall.core.jobs.kinds import handles
from partywall.core.jobs.schedules import Schedule
from partywall.core.lazy import lazy
from partywall.features.projects.jobs import PROJECT_LANGUAGE_CHANGED
from partywall.features.search.jobs import (
    BUILD_INDEX,
    CLEAR_INDEX,
    EMBED_CHUNKS,
    PROMOTE_VECTORS,
    RECHECK_DOCUMENTS,
    SWEEP_CHUNKS,
)

feature: Final = Feature(
    name="search",
    tags=(Tag("search", "Keyword and semantic search in a project's documents.", after="documents"),),
    routers=(lazy("partywall.features.search.router:router"),),
    jobs=(
        handles(BUILD_INDEX, lazy("partywall.features.search.index_rebuild:build_index")),
        handles(EMBED_CHUNKS, lazy("partywall.features.search.index_rebuild:embed_chunks")),
        handles(PROMOTE_VECTORS, lazy("partywall.features.search.promotion:promote_vectors")),
        handles(CLEAR_INDEX, lazy("partywall.features.search.index_rebuild:clear_index")),
        handles(RECHECK_DOCUMENTS, lazy("partywall.features.search.recheck:recheck_documents")),
        handles(PROJECT_LANGUAGE_CHANGED, lazy("partywall.features.search.language_change:apply_language")),
        handles(SWEEP_CHUNKS, lazy("partywall.features.search.large_documents:sweep_chunks")),
    ),
    schedules=(
        Schedule(
            "search_notice_model_change", "* * * * * 15", lazy("partywall.features.search.index_rebuild:notice_change")
        ),
        Schedule("search_move_vectors", "* * * * * 25", lazy("partywall.features.search.promotion:move_vectors")),
    ),
    loops={
        "indexing": lazy("partywall.features.search.indexer:index_documents"),
        "vector sending": lazy("partywall.features.search.vector_sender:send_vectors"),
    },
    models=lazy("partywall.features.search.models"),
)
