from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends

from partywall.core.http.dependencies import (
    LargeAnswersDep,
    ProjectScopeDep,
    ResourcesDep,
    ScopedReaderDep,
    SessionDep,
)
from partywall.features.documents import creation
from partywall.features.documents import reader as reader_module
from partywall.features.documents.creation_repository import NewDocument
from partywall.features.documents.schemas import DocumentBatch, DocumentCreate
from partywall.features.documents.service import DocumentService
from partywall.features.documents.trash import Trash


async def get_document_service(session: SessionDep, scope: ProjectScopeDep) -> DocumentService:
    return DocumentService(session, scope)


DocumentServiceDep = Annotated[DocumentService, Depends(get_document_service, scope="function")]


async def get_trash(session: SessionDep, scope: ProjectScopeDep, resources: ResourcesDep) -> Trash:
    return Trash(session, scope, resources.settings.documents.trash_period)


TrashDep = Annotated[Trash, Depends(get_trash, scope="function")]


async def get_room_to_change(
    project_id: UUID, document_id: UUID, reader: ScopedReaderDep, answers: LargeAnswersDep
) -> AsyncIterator[None]:
    """Reserve memory for a change, which holds the old and the new text. It waits before the transaction begins."""
    size = await reader_module.largest(reader, project_id, document_id)
    async with answers.room(reader.principal.tenant.name, size):
        yield


async def prepare_document(body: DocumentCreate) -> NewDocument:
    """Before the request opens a transaction."""
    [document] = await creation.prepared([body])
    return document


async def prepare_documents(body: DocumentBatch) -> list[NewDocument]:
    return await creation.prepared(body.documents)


NewDocumentDep = Annotated[NewDocument, Depends(prepare_document)]
NewDocumentsDep = Annotated[list[NewDocument], Depends(prepare_documents)]


# A dependency of the route, so that it runs before those of the endpoint.
ROOM_TO_CHANGE: Final = Depends(get_room_to_change, scope="function")
