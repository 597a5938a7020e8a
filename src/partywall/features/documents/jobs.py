from __future__ import annotations

from typing import Final
from uuid import UUID

from partywall.core.db.session import AsyncSession
from partywall.core.jobs.kinds import JobKind
from partywall.core.jobs.payloads import ProjectJobPayload
from partywall.core.jobs.queue import enqueue_once
from partywall.core.tenancy import Principal


class PurgeDocument(ProjectJobPayload):
    """Purge a document that is marked as deleted."""

    document_id: UUID


class ReleaseBlobs(ProjectJobPayload):
    """Delete blobs whose document has been deleted."""

    keys: list[str]


class ReadFile(ProjectJobPayload):
    """Read the text of an uploaded file."""

    document_id: UUID


RELEASE_BLOBS: Final = JobKind("release_blobs", ReleaseBlobs)
# Each attempt continues where the last one stopped.
PURGE_DOCUMENT: Final = JobKind("purge_document", PurgeDocument, max_attempts=1_000)
READ_FILE: Final = JobKind("read_file", ReadFile)


async def enqueue_reading(session: AsyncSession, project_id: UUID, document_id: UUID) -> None:
    principal = str(Principal.service(project_id))
    payload = ReadFile(project_id=project_id, principal=principal, document_id=document_id)
    await enqueue_once(session, READ_FILE, payload, document_id)
