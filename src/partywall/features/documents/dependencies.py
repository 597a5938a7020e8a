from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from partywall.core.http.dependencies import ProjectScopeDep, ResourcesDep, SessionDep
from partywall.features.documents.service import DocumentService


async def get_document_service(session: SessionDep, scope: ProjectScopeDep, resources: ResourcesDep) -> DocumentService:
    return DocumentService(session, scope, resources.announcer)


DocumentServiceDep = Annotated[DocumentService, Depends(get_document_service, scope="function")]
