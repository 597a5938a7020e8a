from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response, status

from partywall.core.backpressure import Backpressure
from partywall.core.db.long_reads import ReadTimeoutError
from partywall.core.errors import (
    ContentTooLargeError,
    MissingRightError,
    PreconditionFailedError,
    QuotaExceededError,
    TooManyRequestsError,
)
from partywall.core.http.body_limits import LARGE_BODY_BYTES
from partywall.core.http.dependencies import BackpressureDep, LargeAnswersDep, ScopedReaderDep, ScopedWriterDep
from partywall.core.http.fast_path.declaration import fast
from partywall.core.http.idempotency import IdempotencyKeyReusedError, RequestInProgressError
from partywall.core.http.idempotent import idempotent_write
from partywall.core.http.json_body import JsonRoute
from partywall.core.http.pagination import CursorsDep
from partywall.core.http.problems import documented
from partywall.core.http.responses import IfMatch, IfNoneMatch, delayed, entity_tag, json_bytes, not_modified, unchanged
from partywall.core.http.spooled_answers import large_answer
from partywall.core.large_answers import LARGE_ANSWER_BYTES, Produced
from partywall.core.schemas import Page
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.documents import creation
from partywall.features.documents import reader as reader_module
from partywall.features.documents.creation_repository import NewDocument
from partywall.features.documents.dependencies import (
    ROOM_TO_CHANGE,
    DocumentServiceDep,
    NewDocumentDep,
    NewDocumentsDep,
)
from partywall.features.documents.exceptions import DocumentNotFoundError, ExternalIdTakenError
from partywall.features.documents.reader import DocumentJson
from partywall.features.documents.schemas import (
    Document,
    DocumentPatch,
    DocumentQuery,
    DocumentReplace,
    Documents,
    DocumentSummary,
    Stats,
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


def paced(answer: Response, backpressure: Backpressure, project_id: UUID, documents: Sequence[NewDocument]) -> Response:
    """The answer to a creation, delayed while indexing is behind. A large body would keep its memory, and is not."""
    seconds = backpressure.delay(project_id, len(documents))
    is_large = sum(each.size for each in documents) > LARGE_ANSWER_BYTES
    return answer if is_large else delayed(answer, seconds)


def shown(document: DocumentJson, status_code: int = status.HTTP_200_OK) -> Response:
    return json_bytes(document.body, status_code, {"ETag": entity_tag(document.revision, document.state)})


@router.get(
    "",
    response_model=Page[DocumentSummary],
    summary="List documents",
    description="Without their content. Filters combine; `q_title` matches a part of the title and ignores case. A "
    "page with large metadata ends after 1 MiB, and the next page continues. With `offset` or a filter other than "
    "`external_id`, a request may scan the whole project: an account may run two of these at once, others wait.",
    responses=documented(ProjectNotFoundError, ReadTimeoutError, TooManyRequestsError),
)
@fast
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
    max_body_size=LARGE_BODY_BYTES,
    responses=documented(*CREATION_ERRORS),
)
@fast
@idempotent_write(creation.may_write, show=creation.show_one)
async def create_document(
    project_id: UUID,
    document: NewDocumentDep,
    writer: ScopedWriterDep,
    backpressure: BackpressureDep,
    request: Request,
) -> Response:
    answer = created(request, document.id, await creation.insert(writer, project_id, document))
    return paced(answer, backpressure, project_id, [document])


@router.post(
    "/batch",
    status_code=status.HTTP_201_CREATED,
    response_model=Documents,
    summary="Create many documents",
    description="Creates all or none, and returns them in the same order.",
    max_body_size=LARGE_BODY_BYTES,
    responses=documented(*CREATION_ERRORS),
)
@idempotent_write(creation.may_write, show=creation.show_batch)
async def create_documents(
    project_id: UUID,
    documents: NewDocumentsDep,
    writer: ScopedWriterDep,
    reader: ScopedReaderDep,
    backpressure: BackpressureDep,
) -> Response:
    items = await creation.insert_batch(writer, reader, project_id, documents)
    answer = json_bytes(b'{"items":%b}' % items, status.HTTP_201_CREATED)
    return paced(answer, backpressure, project_id, documents)


@router.get(
    "/stats",
    response_model=Stats,
    summary="Count documents",
    description="By status and index status, with the texts' size in bytes and the number of indexed passages.",
    responses=documented(ProjectNotFoundError, ReadTimeoutError, TooManyRequestsError),
)
@fast
async def get_document_stats(project_id: UUID, reader: ScopedReaderDep) -> Response:
    return json_bytes(await reader_module.get_stats(reader, project_id))


@router.get(
    "/{document_id:uuid}",
    response_model=Document,
    summary="Get a document",
    description="With its content. The entity tag changes with every visible change.",
    responses=documented(ProjectNotFoundError, DocumentNotFoundError),
)
@fast
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
    return await large_answer(answers, reader.principal.tenant.name, found.size, produce)


@router.patch(
    "/{document_id:uuid}",
    response_model=Document,
    dependencies=[ROOM_TO_CHANGE],
    summary="Change a document",
    description="A JSON merge patch (RFC 7396), also for `metadata`.",
    max_body_size=LARGE_BODY_BYTES,
    responses=documented(*_CHANGE_ERRORS, ExternalIdTakenError, ContentTooLargeError, QuotaExceededError),
)
async def update_document(
    document_id: UUID, body: DocumentPatch, service: DocumentServiceDep, if_match: IfMatch = None
) -> Response:
    return shown(await service.update(document_id, body, if_match))


@router.put(
    "/{document_id:uuid}",
    response_model=Document,
    dependencies=[ROOM_TO_CHANGE],
    summary="Replace a document",
    description="Absent members are reset to their defaults.",
    max_body_size=LARGE_BODY_BYTES,
    responses=documented(*_CHANGE_ERRORS, ExternalIdTakenError, ContentTooLargeError, QuotaExceededError),
)
async def replace_document(
    document_id: UUID, body: DocumentReplace, service: DocumentServiceDep, if_match: IfMatch = None
) -> Response:
    return shown(await service.replace(document_id, body, if_match))


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
    return shown(await service.reindex(document_id), status.HTTP_202_ACCEPTED)
