from __future__ import annotations

from typing import Final
from uuid import UUID

from partywall.core.jobs.kinds import JobKind
from partywall.core.jobs.payloads import ProjectJobPayload


class BuildIndex(ProjectJobPayload):
    """Builds the project's index of the configured model."""


class EmbedChunks(ProjectJobPayload):
    """Embeds the chunks that a building index lacks, from the chunk after number `after` on.

    `incomplete`: this pass has skipped chunks at which the model failed. `passes` counts such passes.
    """

    index: UUID
    after: int = 0
    incomplete: bool = False
    passes: int = 0


class PromoteVectors(ProjectJobPayload):
    """Moves the vectors of a large project into the HNSW index."""

    index: UUID


class ClearIndex(ProjectJobPayload):
    """Deletes the vectors of a retired index."""

    index: UUID


class RecheckDocuments(ProjectJobPayload):
    """Settles the documents again whose passages the index's model refused or shortened."""

    index: UUID


class SweepChunks(ProjectJobPayload):
    """Deletes a large document's former chunks."""

    document_id: UUID


BUILD_INDEX: Final = JobKind("build_index", BuildIndex)
EMBED_CHUNKS: Final = JobKind("embed_chunks", EmbedChunks)
# Each attempt continues where the last one ended.
PROMOTE_VECTORS: Final = JobKind("promote_vectors", PromoteVectors, max_attempts=1_000)
CLEAR_INDEX: Final = JobKind("clear_index", ClearIndex)
RECHECK_DOCUMENTS: Final = JobKind("recheck_documents", RecheckDocuments)
SWEEP_CHUNKS: Final = JobKind("sweep_chunks", SweepChunks, max_attempts=1_000)
