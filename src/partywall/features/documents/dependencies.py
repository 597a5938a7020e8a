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
from partywall.features.documents import reader as reader_module
from partywall.features.documents.service import DocumentService


async def get_document_service(session: SessionDep, scope: ProjectScopeDep, resources: ResourcesDep) -> DocumentService:
    return DocumentService(session, scope, resources.sequencer)


DocumentServiceDep = Annotated[DocumentService, Depends(get_document_service, scope="function")]


async def get_room_to_change(
    project_id: UUID, document_id: UUID, reader: ScopedReaderDep, answers: LargeAnswersDep
) -> AsyncIterator[None]:
    """A change has the old text and the new one in memory: large ones wait for room, before their transaction."""
    size = await reader_module.largest(reader, project_id, document_id)
    async with answers.room(reader.principal.tenant.name, size):
        yield


# Among the dependencies of the route itself, which come before those of the endpoint.
ROOM_TO_CHANGE: Final = Depends(get_room_to_change, scope="function")
