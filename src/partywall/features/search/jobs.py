from __future__ import annotations

from typing import Final
from uuid import UUID

from partywall.core.jobs.kinds import JobKind, ProjectJobPayload
from partywall.features.documents.jobs import IndexDocuments


class BuildIndex(ProjectJobPayload):
    """The project's vectors are to come from the configured model."""


class EmbedChunks(ProjectJobPayload):
    """The chunks that an index which is being built lacks; begins after the chunk with the number `after`."""

    index: UUID
    after: int = 0


class PromoteVectors(ProjectJobPayload):
    """The vectors of a project that has grown large, which are to enter the HNSW index."""

    index: UUID


class ClearIndex(ProjectJobPayload):
    """The vectors of an index that no longer serves."""

    index: UUID


# Places of their own: what takes long does not keep small documents waiting.
INDEX_LARGE_DOCUMENT: Final = JobKind("index_large_document", IndexDocuments)
BUILD_INDEX: Final = JobKind("build_index", BuildIndex)
EMBED_CHUNKS: Final = JobKind("embed_chunks", EmbedChunks)
# Each attempt goes on where the last has ended.
PROMOTE_VECTORS: Final = JobKind("promote_vectors", PromoteVectors, max_attempts=1_000)
CLEAR_INDEX: Final = JobKind("clear_index", ClearIndex)
