"""Reads the text of uploaded files that are not read at once. Runs in workers, in a text process for each file.

A file that replaces another one may be uploaded meanwhile: only the text of the document's current file is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from shutil import which
from typing import Final

import structlog

from partywall.core.blobs import BlobStore
from partywall.core.errors import NotFoundError, QuotaExceededError
from partywall.core.events.log import EventDraft, publish
from partywall.core.jobs.context import AnotherAttemptError, JobContext
from partywall.core.resources import Resources
from partywall.core.schemas import JsonObject
from partywall.core.storage_errors import WHILE_AWAY, StorageAwayError
from partywall.core.tenancy import ProjectNotFoundError, ProjectScope
from partywall.core.text_process.processes import TextProcessBusyError, TextProcessFailedError, TextTooCostlyError
from partywall.features.documents.archive_entries import store_entries
from partywall.features.documents.creation import digest
from partywall.features.documents.extraction import title_of
from partywall.features.documents.file_repository import FileReader, FileToRead, FileWriter, TextToStore
from partywall.features.documents.jobs import ReadFile
from partywall.features.documents.readers.archive import Entries
from partywall.features.documents.readers.file_text import MESSAGES, ONLY_IMAGES, FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.ocr import TESSERACT, Ocr
from partywall.features.documents.readers.process import Asked, read_answer, request
from partywall.features.documents.readers.process import read_file as read_in_process

log = structlog.get_logger(__name__)

# A compressed file has several times its size of text, and gets CPU time for that.
_COMPRESSED: Final = 8
# Parts of media types.
_WITH_IMAGES: Final = ("pdf", "image/", "word", "presentation", "powerpoint", "opendocument.text", "rtf", "epub")
_NEVER_ENDED: Final = (
    "Reading the file was begun several times and never ended. It takes too much time or memory, or its process was"
    " killed from outside: then read it again."
)
_MAY_BE_SCANNED: Final = ("application/pdf", "image/")


async def read_file(context: JobContext, payload: ReadFile) -> timedelta | None:
    """Stores the text, or why there is none. Does nothing if the document has got a text meanwhile, or is gone.

    While the file's store is away, the job waits: that is not the file's fault.
    """
    async with context.read(payload) as (session, scope):
        file = await FileReader(session, scope).find(payload.document_id)
    if file is None or payload.key not in (None, file.key):
        return None
    try:
        answer = await _read(context, scope, file, payload.first)
        found = answer if isinstance(answer, FileText) else await store_entries(context, payload, scope, file, answer)
        if found is not None:
            await _store(context, payload, file, found)
    except StorageAwayError:
        return WHILE_AWAY
    except UnreadableFileError as error:
        await _fail(context, payload, _message(error.reason, file.media_type), file.key)
    except QuotaExceededError as error:
        await _fail(context, payload, f"{Reason.TOO_LARGE}: {error.detail or error}", file.key)
    return None


async def give_up_reading(context: JobContext, payload: ReadFile) -> None:
    await _fail(context, payload, f"{Reason.TOO_COSTLY}: {_NEVER_ENDED}")


def _message(reason: Reason, media_type: str) -> str:
    only_images = reason is Reason.NO_TEXT and any(kind in media_type for kind in _WITH_IMAGES)
    return f"{reason}: {MESSAGES[reason]}{f' {ONLY_IMAGES}' * only_images}"


async def _read(context: JobContext, scope: ProjectScope, file: FileToRead, first: int) -> FileText | Entries:
    resources = context.resources
    most, ocr = resources.settings.files.max_in_archive, _ocr(resources, file.media_type)
    asked = Asked(file.media_type, first, most, ocr, file.charset)
    given = _given(resources.blobs, scope, file, request(asked))
    seconds = None if asked.ocr is None else asked.ocr.seconds
    try:
        answer = await resources.texts.run(read_in_process, given, file.size * _COMPRESSED, seconds)
        return await asyncio.to_thread(read_answer, answer)
    except NotFoundError as error:
        raise UnreadableFileError(Reason.DAMAGED) from error
    except TextProcessFailedError as error:  # the library crashed, or the system ended the process
        raise UnreadableFileError(Reason.DAMAGED) from error
    except TextTooCostlyError as error:
        raise UnreadableFileError(Reason.TOO_COSTLY) from error
    except TextProcessBusyError as error:
        raise AnotherAttemptError("the machine is busy") from error


def _ocr(resources: Resources, media_type: str) -> Ocr | None:
    settings = resources.settings.files
    program = which(TESSERACT) if settings.ocr and media_type.startswith(_MAY_BE_SCANNED) else None
    if program is None:
        return None
    return Ocr(program, settings.ocr_languages, settings.ocr_pages, int(settings.ocr_time.total_seconds()))


async def _given(blobs: BlobStore, scope: ProjectScope, file: FileToRead, asked: bytes) -> AsyncIterator[bytes]:
    yield asked
    async for piece in blobs.open(scope, file.key, 0, file.size):
        yield piece


async def _store(context: JobContext, payload: ReadFile, file: FileToRead, found: FileText) -> None:
    size, sha256 = await asyncio.to_thread(digest, found.text)
    properties = {"language": found.language, "charset": found.charset, "ocr": found.ocr}
    metadata: JsonObject = {**found.metadata, **{key: said for key, said in properties.items() if said}}
    title, media_type = title_of(found.title, file.name), found.media_type or None
    text = TextToStore(file.key, title, found.text, size, sha256, metadata, media_type)
    async with context.begin(payload) as (session, scope):
        await FileWriter(session, scope).store(payload.document_id, text)


async def _fail(context: JobContext, payload: ReadFile, reason: str, key: str | None = None) -> None:
    """Marks the document as failed, if its file (`key`) is still unread. An earlier text stays."""
    try:
        async with context.begin(payload) as (session, scope):
            row = await FileWriter(session, scope).fail(payload.document_id, reason, key)
            if row is not None and row.index_status == "failed":
                data = {"version": row.version, "revision": row.revision, "reason": reason}
                event_draft = EventDraft("document.failed", "document", str(payload.document_id), data)
                publish(session, scope, event_draft)
    except ProjectNotFoundError:
        return
    log.info("file_not_read", document_id=str(payload.document_id), reason=reason.partition(":")[0])
