"""Deletes documents, and shows and restores those in the trash."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response, status

from partywall.core.db.long_reads import ReadTimeoutError
from partywall.core.errors import MissingRightError, PreconditionFailedError, TooManyRequestsError
from partywall.core.http.dependencies import ScopedReaderDep
from partywall.core.http.idempotency import IdempotencyKeyReusedError, RequestInProgressError
from partywall.core.http.idempotent import idempotent
from partywall.core.http.json_body import JsonRoute
from partywall.core.http.pagination import CursorsDep
from partywall.core.http.problems import documented
from partywall.core.http.responses import IfMatch, json_bytes
from partywall.core.idempotency.replay import Show
from partywall.core.rights import requires
from partywall.core.schemas import Page
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.documents import trash as trash_module
from partywall.features.documents.creation import show_one
from partywall.features.documents.dependencies import ROOM_TO_CHANGE, TrashDep
from partywall.features.documents.exceptions import DocumentNotFoundError, ExternalIdTakenError, NotInTrashError
from partywall.features.documents.rights import DOCUMENT_WRITE
from partywall.features.documents.router import shown
from partywall.features.documents.schemas import Document, TrashedDocument, TrashQuery
from partywall.features.documents.trash import Trash

router = APIRouter(prefix="/projects/{project_id}/documents", tags=["documents"], route_class=JsonRoute)


def _shown_again(service: Trash) -> Show:
    return show_one(service.scope)


@router.get(
    "/trash",
    response_model=Page[TrashedDocument],
    summary="List deleted documents",
    description="Those in the trash, the last deleted first, with the time until which each can be restored.",
    responses=documented(ProjectNotFoundError, ReadTimeoutError, TooManyRequestsError),
)
async def list_trash(
    project_id: UUID, reader: ScopedReaderDep, cursors: CursorsDep, query: Annotated[TrashQuery, Query()]
) -> Response:
    return json_bytes(await trash_module.list_trash(reader, project_id, query, cursors))


@router.delete(
    "/{document_id:uuid}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Delete a document",
    description="Its versions, index and uploaded file as well. It is gone at once for everybody; its external id is "
    "free. It stays in the trash, where it can be restored, for as long as the operator has set. `permanent=true` "
    "deletes for good, also what is in the trash, and needs the right `document.purge`; the data is purged in the "
    "background.",
    responses=documented(ProjectNotFoundError, DocumentNotFoundError, MissingRightError, PreconditionFailedError),
)
async def delete_document(
    document_id: UUID,
    service: TrashDep,
    permanent: Annotated[bool, Query(description="Delete for good, not to the trash.")] = False,
    if_match: IfMatch = None,
) -> None:
    await service.delete(document_id, if_match, permanent=permanent)


@router.post(
    "/{document_id:uuid}/restore",
    response_model=Document,
    dependencies=[ROOM_TO_CHANGE],
    summary="Restore a deleted document",
    description="Takes it out of the trash, with its id, versions, file and external id, and indexes it again. 409 if "
    "another document has its external id by now.",
    responses=documented(
        ProjectNotFoundError, NotInTrashError, MissingRightError, ExternalIdTakenError, IdempotencyKeyReusedError,
        RequestInProgressError,
    ),
)  # fmt: skip
@idempotent(requires(DOCUMENT_WRITE), show=_shown_again)
async def restore_document(document_id: UUID, service: TrashDep) -> Response:
    return shown(await service.restore(document_id))
