"""Replaces the uploaded file of a document, which keeps its id, in one transaction."""

from __future__ import annotations

from dataclasses import dataclass, replace

from partywall.core.db.session import AsyncSession
from partywall.core.errors import PreconditionFailedError
from partywall.core.events.log import publish
from partywall.core.jobs.queue import enqueue
from partywall.core.preconditions import require_match
from partywall.core.schemas import JsonObject
from partywall.core.tenancy import Principal, SharedScope
from partywall.features.documents.constants import CHARSET, READING
from partywall.features.documents.creation import may_write
from partywall.features.documents.creation_repository import NewDocument
from partywall.features.documents.jobs import RELEASE_BLOBS, ReleaseBlobs, enqueue_reading
from partywall.features.documents.models import Document
from partywall.features.documents.patch import language_of
from partywall.features.documents.reader import DocumentJson
from partywall.features.documents.readers.charsets import known
from partywall.features.documents.replacement_repository import ReplacementWriter
from partywall.features.documents.repository import WAITING, DocumentWriter
from partywall.features.documents.schemas import UploadFields
from partywall.features.documents.service import DocumentService, locked_document
from partywall.features.documents.shown import event, shown

type Columns = dict[str, str | int | JsonObject | None]


def require_expected(if_match: str | None, revision: int | None) -> None:
    """Raises PreconditionFailedError unless the document has a revision that `if_match` names."""
    if if_match is not None and revision is None:
        raise PreconditionFailedError("There is no document with this external id.")
    if revision is not None:
        require_match(if_match, revision)


@dataclass(frozen=True, slots=True)
class SameFile:
    """What identifies the file that a document has already."""

    sha256: str
    name: str | None
    media_type: str
    charset: str

    def is_file_of(self, document: Document) -> bool:
        """False also if a declared `charset` is not the one that the file was read with."""
        found = (document.source_sha256, document.original_name, document.media_type)
        is_read_so = not self.charset or known(self.charset) == known(str(document.attributes.get(CHARSET, "")))
        return found == (self.sha256, self.name, self.media_type) and is_read_so and document.index_status != "failed"


@dataclass(frozen=True, slots=True)
class FileReplacement:
    session: AsyncSession
    scope: SharedScope
    if_match: str | None

    async def lock(self, external_id: str) -> Document | None:
        """Raises MissingRightError or PreconditionFailedError."""
        may_write(self.scope)
        document = await DocumentWriter(self.session, self.scope).lock_named(external_id)
        require_expected(self.if_match, None if document is None else document.revision)
        return document

    async def keep(self, document: Document, asked: UploadFields) -> DocumentJson:
        """For the file that the document has: change only what was asked for."""
        found = locked_document(document)
        wanted = replace(
            found.current,
            title=asked.title or document.title,
            metadata=document.attributes if asked.metadata is None else asked.metadata,
        )
        return await DocumentService(self.session, self.scope).change(found, wanted)

    async def replace(self, document: Document, new: NewDocument, asked: UploadFields) -> DocumentJson:
        """Make the text of `new` the document's newest version. If it has to be read first, the earlier one stays."""
        id_, former_key, external_id = document.id, document.original_key, document.external_id
        values = _columns(document, new, asked, str(self.scope.principal))
        revision = await ReplacementWriter(self.session, self.scope).write(id_, values)
        if "version" in values:
            await DocumentWriter(self.session, self.scope).add_version(id_)
        if new.unread_title is not None:
            await enqueue_reading(self.session, self.scope.project_id, id_)
        if former_key is not None and former_key != new.original_key:
            await self._release(former_key)
        publish(self.session, self.scope, event("document.updated", id_, str(values["title"]), external_id, revision))
        return await shown(self.session, self.scope, id_, new.content if "content" in values else None)

    async def _release(self, key: str) -> None:
        project_id = self.scope.project_id
        blobs = ReleaseBlobs(project_id=project_id, principal=str(Principal.service(project_id)), keys=[key])
        await enqueue(self.session, RELEASE_BLOBS, blobs)


def _columns(document: Document, new: NewDocument, asked: UploadFields, uploader: str) -> Columns:
    is_read = new.unread_title is None
    title = new.title if is_read or asked.title else document.title
    # The former file's encoding says nothing about the new one.
    kept = {key: value for key, value in document.attributes.items() if key != CHARSET}
    metadata = kept if asked.metadata is None else asked.metadata
    if new.charset:
        metadata = {CHARSET: new.charset, **metadata}
    values: Columns = {
        "title": title, "metadata": metadata, "media_type": new.media_type, "original_key": new.original_key,
        "original_name": new.original_name, "original_size": new.original_size, "source_sha256": new.source_sha256,
        "unread_title": None if is_read else "" if asked.title else title, "unread_by": None if is_read else uploader,
        "unread_note": None,
    }  # fmt: skip
    has_other_text = is_read and new.content_sha256 != document.content_sha256
    if has_other_text:
        values |= {"content": new.content, "size": new.size, "content_sha256": new.content_sha256}
    if has_other_text or title != document.title:
        values["version"] = document.version + 1
    if not is_read:
        values |= {"index_status": WAITING, "index_error": READING}
    elif "version" in values or _is_indexed_otherwise(document, metadata, new.media_type):
        values |= {"index_status": WAITING, "index_error": None}
    return values


def _is_indexed_otherwise(document: Document, metadata: JsonObject, media_type: str) -> bool:
    """Whether the index of the same text would differ, or is not complete."""
    return (
        language_of(metadata) != language_of(document.attributes)
        or media_type != document.media_type
        or document.index_status == "failed"
        or document.unread_title is not None
    )
