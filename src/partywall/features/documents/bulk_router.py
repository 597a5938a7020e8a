"""Deletes the documents that match a filter."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Request, Response, status

from partywall.core.db.long_reads import ReadTimeoutError
from partywall.core.errors import MissingRightError, TooManyRequestsError
from partywall.core.http.dependencies import ResourcesDep, ScopedReaderDep
from partywall.core.http.problems import documented
from partywall.core.http.responses import json_bytes
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.documents.bulk_deletion import BulkDeletion
from partywall.features.documents.exceptions import DeletionNotFoundError, TooManyDeletionsError
from partywall.features.documents.schemas import Deletion, DeletionPreview, DeletionRequest

router = APIRouter(prefix="/projects/{project_id}", tags=["documents"])


async def get_bulk_deletion(reader: ScopedReaderDep, resources: ResourcesDep) -> BulkDeletion:
    return BulkDeletion(reader, resources)


BulkDeletionDep = Annotated[BulkDeletion, Depends(get_bulk_deletion)]


@router.post(
    "/documents/delete",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=Deletion,
    summary="Delete the documents that match a filter",
    description="A job moves them to the trash, each with its event, as deleting one does; documents that are created "
    "meanwhile stay. `GET` of the address in `Location` tells how far it is. With `dry_run`, nothing is deleted, and "
    "the answer is 200.",
    responses={
        status.HTTP_200_OK: {"model": DeletionPreview, "description": "With `dry_run`: what matches."},
        **documented(
            ProjectNotFoundError, MissingRightError, TooManyDeletionsError, ReadTimeoutError, TooManyRequestsError
        ),
    },
)
async def delete_documents(
    project_id: UUID, body: DeletionRequest, deletion: BulkDeletionDep, request: Request
) -> Response:
    if body.dry_run:
        return json_bytes(await deletion.preview(project_id, body.tree))
    made, answer = await deletion.start(project_id, body.filter)
    return json_bytes(
        answer,
        status.HTTP_202_ACCEPTED,
        {"Location": f"{request.url.path.removesuffix('/documents/delete')}/document-deletions/{made}"},
    )


@router.get(
    "/document-deletions/{deletion_id:uuid}",
    response_model=Deletion,
    summary="Follow a deletion by filter",
    description="For 30 days after it has ended.",
    responses=documented(ProjectNotFoundError, DeletionNotFoundError),
)
async def get_deletion(project_id: UUID, deletion_id: UUID, deletion: BulkDeletionDep) -> Response:
    return json_bytes(await deletion.get(project_id, deletion_id))
