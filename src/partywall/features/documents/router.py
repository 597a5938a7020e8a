from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Request, Response, status

from partywall.core.errors import ContentTooLargeError, MissingRightError, PreconditionFailedError, QuotaExceededError
from partywall.core.http.body_limits import LARGE_BYTES
from partywall.core.http.dependencies import LargeAnswersDep, ScopedReaderDep, ScopedWriterDep
from partywall.core.http.etag import IfMatch, entity_tag
from partywall.core.http.idempotency import IdempotencyDep, IdempotencyKeyReusedError, RequestInProgressError
from partywall.core.http.json_body import JsonRoute
from partywall.core.http.large_answers import Produced
from partywall.core.http.problems import documented
from partywall.core.http.responses import json_bytes
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.documents import creation
from partywall.features.documents import reader as reader_module
from partywall.features.documents.dependencies import ROOM_TO_CHANGE, DocumentServiceDep
from partywall.features.documents.exceptions import (
    DocumentNotFoundError,
    ExternalIdTakenError,
    VersionNotFoundError,
)
from partywall.features.documents.reader import DocumentJson
from partywall.features.documents.schemas import (
    Document,
    DocumentBatch,
    DocumentPatch,
    DocumentReplace,
    Documents,
    Version,
)

router = APIRouter(prefix="/projects/{project_id}/documents", tags=["documents"], route_class=JsonRoute)

VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]
CREATION_ERRORS = (
    ProjectNotFoundError, MissingRightError, ExternalIdTakenError, ContentTooLargeError, QuotaExceededError,
    IdempotencyKeyReusedError, RequestInProgressError,
)  # fmt: skip
_CHANGE_ERRORS = (ProjectNotFoundError, DocumentNotFoundError, MissingRightError, PreconditionFailedError)


def created(request: Request, document_id: UUID, body: bytes) -> Response:
    path = request.url.path.rstrip("/").removesuffix("/upload")
    headers = {"Location": f"{path}/{document_id}", "ETag": entity_tag(1)}
    return json_bytes(body, status.HTTP_201_CREATED, headers)


def _shown(document: DocumentJson, status_code: int = status.HTTP_200_OK) -> Response:
    return json_bytes(document.body, status_code, {"ETag": entity_tag(document.revision, document.state)})


@router.post(
    "/batch",
    status_code=status.HTTP_201_CREATED,
    response_model=Documents,
    summary="Create many documents",
    description="Creates all or none, and returns them in the same order.",
    max_body_size=LARGE_BYTES,
    responses=documented(*CREATION_ERRORS),
)
async def create_documents(
    project_id: UUID, body: DocumentBatch, writer: ScopedWriterDep, reader: ScopedReaderDep, once: IdempotencyDep
) -> Response:
    documents = await creation.prepared(body.documents)

    async def produce() -> Response:
        items = await creation.insert_batch(writer, reader, project_id, documents)
        return json_bytes(b'{"items":%b}' % items, status.HTTP_201_CREATED)

    return await once.run_write(writer, creation.may_write, produce, show=creation.show_batch)


@router.patch(
    "/{document_id:uuid}",
    response_model=Document,
    dependencies=[ROOM_TO_CHANGE],
    summary="Change a document",
    description="A JSON merge patch (RFC 7396), also for `metadata`.",
    max_body_size=LARGE_BYTES,
    responses=documented(*_CHANGE_ERRORS, ExternalIdTakenError, ContentTooLargeError, QuotaExceededError),
)
async def update_document(
    document_id: UUID, body: DocumentPatch, service: DocumentServiceDep, if_match: IfMatch = None
) -> Response:
    return _shown(await service.update(document_id, body, if_match))


@router.put(
    "/{document_id:uuid}",
    response_model=Document,
    dependencies=[ROOM_TO_CHANGE],
    summary="Replace a document",
    description="Absent members are reset to their defaults.",
    max_body_size=LARGE_BYTES,
    responses=documented(*_CHANGE_ERRORS, ExternalIdTakenError, ContentTooLargeError, QuotaExceededError),
)
async def replace_document(
    document_id: UUID, body: DocumentReplace, service: DocumentServiceDep, if_match: IfMatch = None
) -> Response:
    return _shown(await service.replace(document_id, body, if_match))


@router.delete(
    "/{document_id:uuid}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Delete a document",
    description="With its versions, index and uploaded file. It is gone at once, and purged in the background.",
    responses=documented(*_CHANGE_ERRORS),
)
async def delete_document(document_id: UUID, service: DocumentServiceDep, if_match: IfMatch = None) -> None:
    await service.delete(document_id, if_match)


@router.post(
    "/{document_id:uuid}/reindex",
    status_code=status.HTTP_202_ACCEPTED,
    response_model=Document,
    dependencies=[ROOM_TO_CHANGE],
    summary="Index a document again",
    description="Also retries a failed document.",
    responses=documented(ProjectNotFoundError, DocumentNotFoundError, MissingRightError),
)
async def reindex_document(document_id: UUID, service: DocumentServiceDep) -> Response:
    return _shown(await service.reindex(document_id), status.HTTP_202_ACCEPTED)


@router.get(
    "/{document_id:uuid}/versions/{number}",
    response_model=Version,
    summary="Get a version",
    description="Title and content after a change.",
    responses=documented(ProjectNotFoundError, DocumentNotFoundError, VersionNotFoundError),
)
async def get_version(
    project_id: UUID, document_id: UUID, number: VersionNumber, reader: ScopedReaderDep, answers: LargeAnswersDep
) -> Response:
    async def produce() -> Produced:
        return await reader_module.get_whole_version(reader, project_id, document_id, number), {}

    found = await reader_module.get_version(reader, project_id, document_id, number)
    return (
        json_bytes(found)
        if isinstance(found, bytes)
        else await answers.json(reader.principal.tenant.name, found, produce)
    )


@router.post(
    "/{document_id:uuid}/versions/{number}/restore",
    response_model=Document,
    dependencies=[ROOM_TO_CHANGE],
    summary="Restore a version",
    description="Makes its title and content the newest version.",
    responses=documented(
        *_CHANGE_ERRORS, VersionNotFoundError, QuotaExceededError, IdempotencyKeyReusedError, RequestInProgressError
    ),
)
async def restore_version(
    document_id: UUID,
    number: VersionNumber,
    service: DocumentServiceDep,
    once: IdempotencyDep,
    if_match: IfMatch = None,
) -> Response:
    async def produce() -> Response:
        return _shown(await service.restore(document_id, number, if_match))

    creation.may_write(service.scope)
    return await once.run(service.session, produce, show=creation.show_one(service.scope))
