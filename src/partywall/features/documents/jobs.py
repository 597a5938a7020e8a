from __future__ import annotations

from typing import Final
from uuid import UUID

from partywall.core.jobs.kinds import JobKind
from partywall.core.jobs.payloads import ProjectJobPayload


class PurgeDocument(ProjectJobPayload):
    """Purge a document that is marked as deleted."""

    document_id: UUID


class ReleaseBlobs(ProjectJobPayload):
    """Delete blobs whose document has been deleted."""

    keys: list[str]


RELEASE_BLOBS: Final = JobKind("release_blobs", ReleaseBlobs)
# Each attempt continues where the last one stopped.
PURGE_DOCUMENT: Final = JobKind("purge_document", PurgeDocument, max_attempts=1_000)
