"""Versions of a document: what its title and text were, and what changed between two."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import PlainTextResponse

from partywall.core.db.long_reads import ReadTimeoutError
from partywall.core.errors import MissingRightError, PreconditionFailedError, QuotaExceededError, TooManyRequestsError
from partywall.core.http.dependencies import LargeAnswersDep, ResourcesDep, ScopedReaderDep
from partywall.core.http.fast_path.declaration import fast
from partywall.core.http.idempotency import IdempotencyKeyReusedError, RequestInProgressError
from partywall.core.http.idempotent import idempotent
from partywall.core.http.json_body import JsonRoute
from partywall.core.http.pagination import CursorsDep
from partywall.core.http.problems import documented
from partywall.core.http.responses import IfMatch, json_bytes
from partywall.core.http.spooled_answers import large_answer
from partywall.core.idempotency.replay import Show
from partywall.core.large_answers import Produced
from partywall.core.rights import requires
from partywall.core.schemas import Page
from partywall.core.tenancy import ProjectNotFoundError
from partywall.core.text_process.processes import TextProcessBusyError, TextTooCostlyError
from partywall.features.documents import reader as reader_module
from partywall.features.documents.creation import show_one
from partywall.features.documents.dependencies import ROOM_TO_CHANGE, DocumentServiceDep
from partywall.features.documents.exceptions import DocumentNotFoundError, VersionNotFoundError
from partywall.features.documents.rights import DOCUMENT_WRITE
from partywall.features.documents.router import shown
from partywall.features.documents.schemas import Document, Version, VersionQuery, VersionSummary
from partywall.features.documents.service import DocumentService
from partywall.features.documents.version_diff import MOST_CONTEXT, VersionDiff

router = APIRouter(prefix="/projects/{project_id}/documents", tags=["documents"], route_class=JsonRoute)

VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]


def _shown_again(service: DocumentService) -> Show:
    return show_one(service.scope)


@router.get(
    "/{document_id:uuid}/versions",
    response_model=Page[VersionSummary],
    summary="List a document's versions",
    description="Newest first, without their content. Every change of title or content makes a version.",
    responses=documented(ProjectNotFoundError, DocumentNotFoundError, ReadTimeoutError, TooManyRequestsError),
)
@fast
async def list_versions(
    project_id: UUID,
    document_id: UUID,
    reader: ScopedReaderDep,
    cursors: CursorsDep,
    query: Annotated[VersionQuery, Query()],
) -> Response:
    return json_bytes(await reader_module.list_versions(reader, project_id, document_id, query, cursors))


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
        else await large_answer(answers, reader.principal.tenant.name, found, produce)
    )


@router.post(
    "/{document_id:uuid}/versions/{number}/restore",
    response_model=Document,
    dependencies=[ROOM_TO_CHANGE],
    summary="Restore a version",
    description="Makes its title and content the newest version.",
    responses=documented(
        ProjectNotFoundError,
        DocumentNotFoundError,
        MissingRightError,
        PreconditionFailedError,
        VersionNotFoundError,
        QuotaExceededError,
        IdempotencyKeyReusedError,
        RequestInProgressError,
    ),
)
@idempotent(requires(DOCUMENT_WRITE), show=_shown_again)
async def restore_version(
    document_id: UUID, number: VersionNumber, service: DocumentServiceDep, if_match: IfMatch = None
) -> Response:
    return shown(await service.restore(document_id, number, if_match))


@router.get(
    "/{document_id:uuid}/versions/{number}/diff/{other}",
    response_class=PlainTextResponse,
    summary="Compare two versions",
    description="What the version `other` has changed since `number`, as a unified diff of their lines: empty if title "
    "and text are the same. Large parts without a line in common are shown as replaced.",
    responses={
        **documented(
            ProjectNotFoundError, DocumentNotFoundError, VersionNotFoundError, TextTooCostlyError,
            TextProcessBusyError, TooManyRequestsError,
        ),
        200: {"description": "The diff", "content": {"text/plain": {"schema": {"type": "string"}}}},
    },
)  # fmt: skip
async def compare_versions(
    project_id: UUID,
    document_id: UUID,
    number: Annotated[VersionNumber, Path(description="The version to compare with, usually the earlier one.")],
    other: Annotated[VersionNumber, Path(description="The version whose changes are shown.")],
    reader: ScopedReaderDep,
    resources: ResourcesDep,
    context: Annotated[int, Query(ge=0, le=MOST_CONTEXT, description="Unchanged lines around each change.")] = 3,
) -> Response:
    diff = await VersionDiff.find(reader, project_id, document_id, (number, other), context)
    if diff.is_small:
        return PlainTextResponse(await diff.compare(resources.diffs))

    async def produce() -> Produced:
        return await diff.compare(resources.diffs), {}

    return await large_answer(
        resources.answers, reader.principal.tenant.name, diff.size, produce, media_type="text/plain"
    )
