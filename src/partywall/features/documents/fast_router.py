"""Routes on the fast path: the reads, and creating one document."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, status

from partywall.core.db.long_reads import ReadTimeoutError
from partywall.core.errors import TooManyRequestsError
from partywall.core.http.body_limits import LARGE_BYTES
from partywall.core.http.dependencies import LargeAnswersDep, ScopedReaderDep, ScopedWriterDep
from partywall.core.http.etag import IfNoneMatch, entity_tag, not_modified, unchanged
from partywall.core.http.fast_path import FastPathRoute
from partywall.core.http.idempotency import IdempotencyDep
from partywall.core.http.pagination import CursorsDep
from partywall.core.http.problems import documented
from partywall.core.http.responses import json_bytes
from partywall.core.http.spooled_answers import large_json
from partywall.core.large_answers import Produced
from partywall.core.schemas import Page
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.documents import creation
from partywall.features.documents import reader as reader_module
from partywall.features.documents.exceptions import DocumentNotFoundError
from partywall.features.documents.reader import DocumentJson
from partywall.features.documents.router import CREATION_ERRORS, created
from partywall.features.documents.schemas import (
    Document,
    DocumentCreate,
    DocumentQuery,
    DocumentSummary,
    Stats,
    VersionQuery,
    VersionSummary,
)

router = APIRouter(prefix="/projects/{project_id}/documents", tags=["documents"], route_class=FastPathRoute)


@router.get(
    "",
    response_model=Page[DocumentSummary],
    summary="List documents",
    description="Without their content. Filters combine; `q_title` matches a part of the title and ignores case. A "
    "page with large metadata ends after 1 MiB, and the next page continues. With `offset` or a filter other than "
    "`external_id`, a request may scan the whole project: an account may run two of these at once, others wait.",
    responses=documented(ProjectNotFoundError, ReadTimeoutError, TooManyRequestsError),
)
async def list_documents(
    project_id: UUID, reader: ScopedReaderDep, cursors: CursorsDep, query: Annotated[DocumentQuery, Query()]
) -> Response:
    return json_bytes(await reader_module.list_documents(reader, project_id, query, cursors))


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=Document,
    summary="Create a document",
    description="The content is kept exactly as sent, and indexed in the background.",
    max_body_size=LARGE_BYTES,
    responses=documented(*CREATION_ERRORS),
)
async def create_document(
    project_id: UUID, body: DocumentCreate, writer: ScopedWriterDep, once: IdempotencyDep, request: Request
) -> Response:
    [document] = await creation.prepared([body])

    async def produce() -> Response:
        return created(request, document.id, await creation.insert(writer, project_id, document))

    return await once.run_write(writer, creation.may_write, produce, show=creation.show_one)


@router.get(
    "/stats",
    response_model=Stats,
    summary="Count documents",
    description="By status and index status, with the texts' size in bytes and the number of indexed passages.",
    responses=documented(ProjectNotFoundError, ReadTimeoutError, TooManyRequestsError),
)
async def get_document_stats(project_id: UUID, reader: ScopedReaderDep) -> Response:
    return json_bytes(await reader_module.get_stats(reader, project_id))


@router.get(
    "/{document_id:uuid}",
    response_model=Document,
    summary="Get a document",
    description="With its content. The entity tag changes with every visible change.",
    responses=documented(ProjectNotFoundError, DocumentNotFoundError),
)
async def get_document(
    project_id: UUID,
    document_id: UUID,
    reader: ScopedReaderDep,
    answers: LargeAnswersDep,
    if_none_match: IfNoneMatch = None,
) -> Response:
    async def produce() -> Produced:
        whole = await reader_module.get_whole(reader, project_id, document_id)
        return whole.body, {"ETag": entity_tag(whole.revision, whole.state)}

    found = await reader_module.get(reader, project_id, document_id)
    tag = entity_tag(found.revision, found.state)
    if unchanged(if_none_match, tag):
        return not_modified(tag)
    if isinstance(found, DocumentJson):
        return json_bytes(found.body, 200, {"ETag": tag})
    return await large_json(answers, reader.principal.tenant.name, found.size, produce)


@router.get(
    "/{document_id:uuid}/versions",
    response_model=Page[VersionSummary],
    summary="List a document's versions",
    description="Newest first, without their content. Every change of title or content makes a version.",
    responses=documented(ProjectNotFoundError, DocumentNotFoundError, ReadTimeoutError, TooManyRequestsError),
)
async def list_versions(
    project_id: UUID,
    document_id: UUID,
    reader: ScopedReaderDep,
    cursors: CursorsDep,
    query: Annotated[VersionQuery, Query()],
) -> Response:
    return json_bytes(await reader_module.list_versions(reader, project_id, document_id, query, cursors))
