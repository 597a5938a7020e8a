from __future__ import annotations

from typing import Final
from uuid import UUID

from partywall.core.jobs.kinds import JobKind, ProjectJobPayload


class BuildIndex(ProjectJobPayload):
    """The project's vectors are to come from the configured model."""


class EmbedChunks(ProjectJobPayload):
    """The chunks that an index which is being built lacks; begins after the chunk with the number `after`.

    `incomplete` says that this pass has left out some at which the model failed; `passes` counts those that did.
    """

    index: UUID
    after: int = 0
    incomplete: bool = False
    passes: int = 0


class PromoteVectors(ProjectJobPayload):
    """The vectors of a project that has grown large, which are to enter the HNSW index."""

    index: UUID


class ClearIndex(ProjectJobPayload):
    """The vectors of an index that no longer serves."""

    index: UUID


class SweepChunks(ProjectJobPayload):
    """The chunks by which a large document was found before."""

    document_id: UUID


BUILD_INDEX: Final = JobKind("build_index", BuildIndex)
EMBED_CHUNKS: Final = JobKind("embed_chunks", EmbedChunks)
# Each attempt goes on where the last has ended.
PROMOTE_VECTORS: Final = JobKind("promote_vectors", PromoteVectors, max_attempts=1_000)
CLEAR_INDEX: Final = JobKind("clear_index", ClearIndex)
SWEEP_CHUNKS: Final = JobKind("sweep_chunks", SweepChunks, max_attempts=1_000)
