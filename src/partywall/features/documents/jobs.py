from __future__ import annotations

from typing import Final
from uuid import UUID

from pydantic import Field

from partywall.core.db.session import AsyncSession
from partywall.core.jobs.kinds import JobKind
from partywall.core.jobs.payloads import ProjectJobPayload
from partywall.core.jobs.queue import enqueue, enqueue_once
from partywall.core.tenancy import Principal


class PurgeDocument(ProjectJobPayload):
    """Purge a document that is marked as deleted."""

    document_id: UUID


class ReleaseBlobs(ProjectJobPayload):
    """Delete blobs whose document has been deleted."""

    keys: list[str]


class ReadFile(ProjectJobPayload):
    """Read the text of an uploaded file; of an archive, its files from number `first`.

    `key` is then the archive's blob, and `refused` has the paths of files before that have no document, and why.
    """

    document_id: UUID
    first: int = 0
    key: str | None = None
    refused: dict[str, str] = Field(default_factory=dict)


class DeleteEntries(ProjectJobPayload):
    """Delete the documents that were made of an archive's files."""

    archive_id: UUID


class DeleteMatching(ProjectJobPayload):
    """Delete the documents that match the filter of a deletion."""

    deletion_id: UUID


RELEASE_BLOBS: Final = JobKind("release_blobs", ReleaseBlobs)
# Each attempt continues where the last one stopped.
PURGE_DOCUMENT: Final = JobKind("purge_document", PurgeDocument, max_attempts=1_000)
READ_FILE: Final = JobKind("read_file", ReadFile)
# Each attempt continues where the last one stopped.
DELETE_ENTRIES: Final = JobKind("delete_entries", DeleteEntries, max_attempts=100)
DELETE_MATCHING: Final = JobKind("delete_matching", DeleteMatching, max_attempts=100)


async def enqueue_reading(session: AsyncSession, project_id: UUID, document_id: UUID) -> None:
    principal = str(Principal.service(project_id))
    payload = ReadFile(project_id=project_id, principal=principal, document_id=document_id)
    await enqueue_once(session, READ_FILE, payload, document_id)


async def enqueue_deletion_of_entries(session: AsyncSession, project_id: UUID, archive_id: UUID) -> None:
    principal = str(Principal.service(project_id))
    await enqueue(
        session, DELETE_ENTRIES, DeleteEntries(project_id=project_id, principal=principal, archive_id=archive_id)
    )
