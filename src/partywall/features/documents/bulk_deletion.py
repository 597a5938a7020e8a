"""Deletes all documents that match a filter: a job moves them to the trash, a batch in each transaction."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scopes import open_shared_scope
from partywall.core.errors import MissingRightError
from partywall.core.jobs.context import AnotherAttemptError, JobContext
from partywall.core.jobs.queue import enqueue
from partywall.core.resources import Resources
from partywall.core.rights import require
from partywall.core.schemas import JsonObject
from partywall.core.tenancy import Principal, ProjectNotFoundError
from partywall.features.documents.deletion_repository import DELETION, DeletionWriter, preview
from partywall.features.documents.exceptions import (
    DeletionNotFoundError,
    DocumentNotFoundError,
    TooManyDeletionsError,
)
from partywall.features.documents.filters.grammar import read_filter
from partywall.features.documents.filters.lookup import look_up
from partywall.features.documents.filters.tree import Filter
from partywall.features.documents.jobs import DELETE_MATCHING, DeleteMatching
from partywall.features.documents.rights import DOCUMENT_READ, DOCUMENT_WRITE
from partywall.features.documents.trash import Trash

DELETED_AT_ONCE: Final = 50
MOST_UNFINISHED: Final = 100


@dataclass(frozen=True, slots=True)
class BulkDeletion:
    reader: ScopedReader
    resources: Resources

    async def preview(self, project_id: UUID, tree: Filter) -> bytes:
        """What would be deleted."""
        matching = await look_up(self.reader, project_id, tree)
        scope, row = await self.reader.long_row(preview(matching), project_id, {})
        require(scope, DOCUMENT_WRITE)
        return b'{"matching":%d,"items":%b}' % (row["matching"], row["items"])

    async def start(self, project_id: UUID, given: JsonObject) -> tuple[UUID, bytes]:
        """The id and the answer. Raises TooManyDeletionsError."""
        principal = self.reader.principal
        async with self.resources.sessions.begin() as session:
            scope = await open_shared_scope(session, principal, project_id, accepting=True)
            require(scope, DOCUMENT_WRITE)
            writer = DeletionWriter(session, scope)
            if await writer.unfinished() >= MOST_UNFINISHED:
                raise TooManyDeletionsError
            made = await writer.add(given)
            payload = DeleteMatching(project_id=project_id, principal=str(principal), deletion_id=made)
            await enqueue(session, DELETE_MATCHING, payload)
        return made, await self.get(project_id, made)

    async def get(self, project_id: UUID, id_: UUID) -> bytes:
        """Raises DeletionNotFoundError."""
        scope, row = await self.reader.row(DELETION, project_id, {"deletion_id": id_})
        require(scope, DOCUMENT_READ)
        body: bytes | None = row["body"]
        if body is None:
            raise DeletionNotFoundError
        return body


async def delete_matching(context: JobContext, payload: DeleteMatching) -> None:
    """Each batch is recorded with what it deletes, so that a later attempt goes on behind it."""
    try:
        while await _delete_some(context, payload):
            context.progressed()
            if context.stopping.is_set():
                raise AnotherAttemptError("the worker is stopping")
    except (ProjectNotFoundError, MissingRightError):
        await fail_deletion(context, payload)


async def fail_deletion(context: JobContext, payload: DeleteMatching) -> None:
    service = payload.model_copy(update={"principal": str(Principal.service(payload.project_id))})
    with suppress(ProjectNotFoundError):
        async with context.begin(service) as (session, scope):
            error = "The documents could not be deleted."
            await DeletionWriter(session, scope).fail(payload.deletion_id, payload.principal, error)


async def _delete_some(context: JobContext, payload: DeleteMatching) -> bool:
    """Whether there may be more."""
    async with context.begin(payload) as (session, scope):
        require(scope, DOCUMENT_WRITE)
        writer = DeletionWriter(session, scope)
        deletion = await writer.lock(payload.deletion_id)
        if deletion is None:
            return False
        given, before, after = deletion
        ids = await writer.matching(read_filter(given), before, after, DELETED_AT_ONCE)
        if not ids:
            await writer.finish(payload.deletion_id)
            return False
        trash, deleted = Trash(session, scope, context.resources.settings.documents.trash_period), 0
        for id_ in ids:
            with suppress(DocumentNotFoundError):  # another client has deleted it meanwhile
                await trash.delete(id_, None)
                deleted += 1
        await writer.advance(payload.deletion_id, ids[-1], deleted)
    return True
