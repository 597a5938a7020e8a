"""Reads the text of uploaded files that are not read at once. Runs in workers, in a text process for each file.

A file that replaces another one may be uploaded meanwhile: only the text of the document's current file is stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Final

import structlog

from partywall.core.blobs import BlobStore
from partywall.core.errors import NotFoundError, QuotaExceededError
from partywall.core.events.log import EventDraft, publish
from partywall.core.jobs.context import AnotherAttemptError, JobContext
from partywall.core.storage import WHILE_AWAY, StorageAwayError
from partywall.core.tenancy import ProjectNotFoundError, ProjectScope
from partywall.core.text_process.processes import TextProcessBusyError, TextProcessFailedError, TextTooCostlyError
from partywall.features.documents.creation import digest
from partywall.features.documents.extraction import title_of
from partywall.features.documents.file_repository import FileReader, FileToRead, FileWriter, TextToStore
from partywall.features.documents.jobs import ReadFile
from partywall.features.documents.readers.file_text import MESSAGES, FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.process import read_answer, request
from partywall.features.documents.readers.process import read_file as read_in_process

log = structlog.get_logger(__name__)

# A compressed file has several times its size of text, and gets CPU time for that.
_COMPRESSED: Final = 8


async def read_file(context: JobContext, payload: ReadFile) -> timedelta | None:
    """Stores the text, or why there is none. Does nothing if the document has got a text meanwhile, or is gone.

    While the file's store is away, the job waits: that is not the file's fault.
    """
    async with context.read(payload) as (session, scope):
        file = await FileReader(session, scope).find(payload.document_id)
    if file is None:
        return None
    try:
        found = await _read(context, scope, file)
        await _store(context, payload, file, found)
    except StorageAwayError:
        return WHILE_AWAY
    except UnreadableFileError as error:
        await _fail(context, payload, f"{error.reason}: {MESSAGES[error.reason]}", file.key)
    except QuotaExceededError as error:
        await _fail(context, payload, f"{Reason.TOO_LARGE}: {error.detail or error}", file.key)
    return None


async def give_up_reading(context: JobContext, payload: ReadFile) -> None:
    await _fail(context, payload, f"{Reason.TOO_COSTLY}: {MESSAGES[Reason.TOO_COSTLY]}")


async def _read(context: JobContext, scope: ProjectScope, file: FileToRead) -> FileText:
    given = _given(context.resources.blobs, scope, file)
    try:
        answer = await context.resources.texts.run(read_in_process, given, file.size * _COMPRESSED)
        return await asyncio.to_thread(read_answer, answer)
    except NotFoundError as error:
        raise UnreadableFileError(Reason.DAMAGED) from error
    except TextProcessFailedError as error:  # the library crashed, or the system ended the process
        raise UnreadableFileError(Reason.DAMAGED) from error
    except TextTooCostlyError as error:
        raise UnreadableFileError(Reason.TOO_COSTLY) from error
    except TextProcessBusyError as error:
        raise AnotherAttemptError("the machine is busy") from error


async def _given(blobs: BlobStore, scope: ProjectScope, file: FileToRead) -> AsyncIterator[bytes]:
    yield request(file.media_type)
    async for piece in blobs.open(scope, file.key, 0, file.size):
        yield piece


async def _store(context: JobContext, payload: ReadFile, file: FileToRead, found: FileText) -> None:
    size, sha256 = await asyncio.to_thread(digest, found.text)
    metadata = {key: said for key, said in (("language", found.language), ("charset", found.charset)) if said}
    text = TextToStore(file.key, title_of(found.title, file.name), found.text, size, sha256, metadata)
    async with context.begin(payload) as (session, scope):
        await FileWriter(session, scope).store(payload.document_id, text)


async def _fail(context: JobContext, payload: ReadFile, reason: str, key: str | None = None) -> None:
    """Marks the document as failed, if its file (`key`) is still unread. An earlier text of it stays."""
    try:
        async with context.begin(payload) as (session, scope):
            row = await FileWriter(session, scope).fail(payload.document_id, reason, key)
            if row is not None:
                data = {"version": row.version, "revision": row.revision, "reason": reason}
                event_draft = EventDraft("document.failed", "document", str(payload.document_id), data)
                publish(session, scope, event_draft)
    except ProjectNotFoundError:
        return
    log.info("file_not_read", document_id=str(payload.document_id), reason=reason.partition(":")[0])
