"""Uploads of files, and downloads of a document's content."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Annotated, Final
from urllib.parse import quote
from uuid import UUID

from fastapi import APIRouter, File, Form, Query, Request, Response, UploadFile, status
from fastapi.exceptions import RequestValidationError
from fastapi.responses import PlainTextResponse, RedirectResponse
from pydantic import JsonValue, ValidationError

from partywall.core.db.scoped_access import ScopedWriter
from partywall.core.db.scopes import open_scope
from partywall.core.errors import (
    BadRequestError,
    InvalidInputError,
    PreconditionFailedError,
    TooManyRequestsError,
    UnsupportedMediaTypeError,
)
from partywall.core.field_errors import FieldCode
from partywall.core.http.body_limits import FILE_BYTES, MEDIUM_BYTES
from partywall.core.http.body_memory import body_memory
from partywall.core.http.dependencies import ResourcesDep, ScopedReaderDep
from partywall.core.http.idempotency import Idempotency, IdempotencyDep
from partywall.core.http.problems import documented
from partywall.core.http.ranges import RangeNotSatisfiableError, RangeRequestDep
from partywall.core.http.responses import IfMatch, unchanged
from partywall.core.large_answers import LARGE_ANSWER_BYTES
from partywall.core.resources import Resources
from partywall.core.tenancy import ProjectNotFoundError
from partywall.core.text_process.processes import TextProcessBusyError, TextTooCostlyError
from partywall.features.documents import content
from partywall.features.documents import upload as upload_module
from partywall.features.documents.constants import LARGEST_INLINE_PAGE, PLAIN_TEXT
from partywall.features.documents.creation import may_write, show_one
from partywall.features.documents.exceptions import DocumentNotFoundError, OriginalNotFoundError
from partywall.features.documents.extraction import HTML, MARKDOWN, plain_name
from partywall.features.documents.router import CREATION_ERRORS, created, paced, shown
from partywall.features.documents.schemas import Document, UploadFields
from partywall.features.documents.upsert import Answers, Once, Upsert, find_earlier

router = APIRouter(prefix="/projects/{project_id}/documents", tags=["documents"])

_TEXT: Final = {"Content-Type": "text/plain; charset=utf-8"}
_FIELDS: Final = frozenset({"file", "title", "external_id", "metadata"})
_CONTENT: Final[dict[str, JsonValue]] = {
    **{name: {"schema": {"type": "string"}} for name in (PLAIN_TEXT, MARKDOWN, HTML)},
    "*/*": {"schema": {"type": "string", "format": "binary"}},
}


@router.post(
    "/upload",
    status_code=status.HTTP_201_CREATED,
    response_model=Document,
    summary="Upload a file as a document",
    description=(
        "PDF, Office and OpenDocument files, mail, EPUB, RTF, ZIP, HTML, Markdown and other text in any encoding. "
        "Text, Markdown and HTML in UTF-8 are read at once. Of other files a worker reads the text: until then the "
        "document is `pending` without content, and if it cannot be read, it is `failed`. The original is kept. With "
        "the `external_id` of a document, the file replaces that document's: 200, and another version unless title and "
        "text are the same. The earlier text stays until the new file has been read."
    ),
    max_body_size=FILE_BYTES,
    form_limits={"max_files": 4, "max_fields": 16, "max_part_size": MEDIUM_BYTES},
    responses={
        **documented(
            *CREATION_ERRORS, PreconditionFailedError, UnsupportedMediaTypeError, TextTooCostlyError,
            TextProcessBusyError, TooManyRequestsError,
        ),
        200: {"model": Document, "description": "The document with this `external_id`, with its new file"},
    },
)  # fmt: skip
async def upload_document(
    project_id: UUID,
    file: Annotated[UploadFile, File(description="The file.", json_schema_extra={"format": "binary"})],
    reader: ScopedReaderDep,
    once: IdempotencyDep,
    resources: ResourcesDep,
    request: Request,
    title: Annotated[
        str | None, Form(description="Default: the page's title, the first heading or the file's name.")
    ] = None,
    external_id: Annotated[str | None, Form(description="The document to create or replace.")] = None,
    metadata: Annotated[str | None, Form(description="A JSON object. A replaced document keeps its own.")] = None,
    if_match: IfMatch = None,
) -> Response:
    scope = await reader.scope(project_id)
    may_write(scope)
    await _refuse_unknown_fields(request)
    asked = _fields(_name(file), title, external_id, metadata)
    small = file.size is not None and file.size <= LARGEST_INLINE_PAGE
    async with once.claimed(resources.cache), resources.uploads.hold(scope.principal.tenant, small=small):
        if await request.is_disconnected():
            raise BadRequestError("The client has disconnected.")
        fingerprint = await _fingerprint(once.key, file, asked)
        replayed = await _replay(resources, once, fingerprint)
        if replayed is not None:
            return replayed
        answers = Answers(partial(created, request), shown)
        upsert = Upsert(resources, asked, if_match, answers, _write_once(once, fingerprint))
        earlier = await find_earlier(reader, project_id, asked.external_id)
        await upsert.require_room(reader, file.size or 0, earlier)
        async with resources.answers.room(scope.principal.tenant.name, earlier.largest if earlier else 0):
            kept = await upsert.keep(file, earlier)
            if kept is not None:
                return kept
            async with _receiving(resources, request).received(scope, file, asked) as upload:
                answer = await upsert.store(upload)
    return paced(answer, resources.backpressure, project_id, [upload.document])


def _receiving(resources: Resources, request: Request) -> upload_module.Receiving:
    settings = resources.settings
    limit, images = settings.blobs.max_upload_bytes, settings.files.ocr
    return upload_module.Receiving(resources.blobs, resources.texts, body_memory(request).texts, limit, images)


def _write_once(once: Idempotency, fingerprint: bytes) -> Once[Response]:
    async def run(writer: ScopedWriter, produce: Callable[[], Awaitable[Response]]) -> Response:
        return await once.run_write(writer, may_write, produce, fingerprint=fingerprint, show=show_one)

    return Once(once.principal, once.project_id, run)


async def _replay(resources: Resources, once: Idempotency, fingerprint: bytes) -> Response | None:
    """The stored answer of the same request, so that a repeated upload is not read and stored again."""
    if once.key is None:
        return None
    async with resources.sessions.read() as session:
        scope = await open_scope(session, once.principal, once.project_id)
        return await once.replay(session, fingerprint=fingerprint, show=show_one(scope))


async def _refuse_unknown_fields(request: Request) -> None:
    given = Counter(name for name, _ in (await request.form()).multi_items())
    for name, times in given.items():
        if name not in _FIELDS:
            shown = name.encode(errors="replace").decode()
            raise InvalidInputError(f"/{shown}", FieldCode.UNKNOWN_FIELD, "Extra inputs are not permitted")
        if times > 1:
            raise InvalidInputError(f"/{name}", FieldCode.REPEATED, "Given more than once")


def _name(file: UploadFile) -> str | None:
    """The plain file name. The header is checked again, because a name that is not UTF-8 was decoded as Latin-1."""
    disposition = file.headers.get("content-disposition", "")
    try:
        disposition.encode("latin-1").decode()
    except UnicodeDecodeError as error:
        raise InvalidInputError("/file", FieldCode.BAD_CHARACTER, "The file's name is not UTF-8") from error
    return plain_name(file.filename)


def _fields(file: str | None, title: str | None, external_id: str | None, metadata: str | None) -> UploadFields:
    try:
        parsed = json.loads(metadata) if metadata is not None else None
    except (ValueError, RecursionError) as error:
        raise InvalidInputError("/metadata", FieldCode.BAD_FORMAT, "This is not JSON") from error
    try:
        return UploadFields.model_validate(
            {"file": file, "title": title, "external_id": external_id, "metadata": parsed}
        )
    except ValidationError as error:
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in error.errors()]) from error


async def _fingerprint(key: str | None, file: UploadFile, asked: UploadFields) -> bytes:
    if key is None:
        return b""
    said = (file.filename, file.content_type, asked.model_dump(mode="json"))
    return hashlib.sha256(json.dumps(said).encode() + await upload_module.fingerprint(file)).digest()


@router.get(
    "/{document_id:uuid}/content",
    response_class=PlainTextResponse,
    summary="Get a document's content",
    description="The text, or with `original=true` the uploaded file; all of it or one byte range.",
    responses={
        **documented(ProjectNotFoundError, DocumentNotFoundError, OriginalNotFoundError, RangeNotSatisfiableError),
        200: {"description": "All of it", "content": _CONTENT},
        206: {"description": "The requested range", "content": _CONTENT},
        307: {"description": "The uploaded file is at this address, for a minute (BLOBS__PRESIGNED_DOWNLOADS)"},
    },
)
async def get_document_content(
    project_id: UUID,
    document_id: UUID,
    reader: ScopedReaderDep,
    resources: ResourcesDep,
    range_request: RangeRequestDep,
    original: Annotated[bool, Query(description="The uploaded bytes, with their media type.")] = False,
) -> Response:
    caller, answers = reader.principal.tenant.name, resources.answers
    if original:
        file = await content.find_original(reader, project_id, document_id)
        headers = {"Content-Type": file.content_type, "Content-Disposition": _attachment(file.name)}
        tag, link = f'"{file.key}"', content.link_to(resources.blobs, file, headers)
        if link is not None and not unchanged(range_request.if_none_match, tag):
            return RedirectResponse(link, headers={"Cache-Control": "no-store"})

        def bytes_of_file(start: int, end: int) -> AsyncIterator[bytes]:
            pieces = content.stream_original(resources.blobs, file, start, end)
            return pieces if end - start <= LARGE_ANSWER_BYTES else answers.counted(caller, end - start, pieces)

        return await range_request.answer(file.size, tag, headers, bytes_of_file)
    text = await content.find_text(reader, project_id, document_id)

    def bytes_of_text(start: int, end: int) -> AsyncIterator[bytes]:
        pieces = content.stream_text(reader, project_id, text, start, end)
        return pieces if end - start <= LARGE_ANSWER_BYTES else answers.copied(caller, end - start, pieces)

    return await range_request.answer(text.size, f'"{text.sha256}"', _TEXT, bytes_of_text)


def _attachment(name: str | None) -> str:
    """Content-Disposition (RFC 6266), with an ASCII fallback for old clients."""
    if name is None:
        return "attachment"
    ascii_name = re.sub(r'[^\x20-\x7e]|["\\\\]', "_", name)
    return f"attachment; filename=\"{ascii_name}\"; filename*=UTF-8''{quote(name, safe='')}"
