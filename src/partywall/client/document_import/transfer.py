"""The requests that bring one local document, or a batch of new ones, to the server."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from pydantic import BaseModel, JsonValue

from partywall.client.api import Api
from partywall.client.document_import.existing import SOURCE_ROOT, SOURCE_SHA256, ExistingDocument, find_known
from partywall.client.document_import.files import LocalDocument, SourceFile
from partywall.client.errors import ClientError
from partywall.formats.file_kinds import media_type_by_name


class FileChanged(ClientError):
    def __init__(self) -> None:
        super().__init__("it changed while it was being sent: repeat the command")


class PathTaken(ClientError):
    def __init__(self) -> None:
        super().__init__("another document has got this path meanwhile: repeat the command")


class _Created(BaseModel):
    items: list[ExistingDocument]


@dataclass(frozen=True, slots=True)
class Transfer:
    """`root` is the folder that the documents are from; each stores it with `metadata`."""

    api: Api
    project_id: str
    metadata: dict[str, JsonValue] = field(default_factory=dict)
    root: str | None = None

    def create(self, batch: Sequence[LocalDocument]) -> list[ExistingDocument]:
        """Creates all or none."""
        body: JsonValue = {"documents": [self._new(document) for document in batch]}
        return _Created.model_validate_json(self.api.create(self.path("/batch"), body)).items

    def send(self, document: LocalDocument, known: ExistingDocument | None) -> ExistingDocument:
        """Creates the document, or changes the known one."""
        if document.upload is not None:
            return self._send_file(document, document.upload, known)
        if known is not None:
            return self._patch(known, self._body(document))
        return _read(self.api.create(self.path(), self._new(document)))

    def rename(self, known: ExistingDocument, document: LocalDocument) -> ExistingDocument:
        """Moves a document to the path of `document`, which has the same content."""
        old, new = PurePosixPath(known.external_id or "").stem, PurePosixPath(document.external_id).stem
        if document.upload is None:
            return self._patch(known, self._body(document))
        body: dict[str, JsonValue] = {"external_id": document.external_id, "metadata": self._all_metadata()}
        return self._patch(known, body | {"title": new} if known.title == old else body)

    def delete(self, known: ExistingDocument) -> None:
        self.api.delete(self.path(f"/{known.id}"))

    def path(self, rest: str = "") -> str:
        return f"/projects/{self.project_id}/documents{rest}"

    def _patch(self, known: ExistingDocument, body: JsonValue) -> ExistingDocument:
        return _read(self.api.patch(self.path(f"/{known.id}"), body))

    def _send_file(self, document: LocalDocument, file: SourceFile, known: ExistingDocument | None) -> ExistingDocument:
        """Raises PathTaken if another client has created a document: the file would replace its content."""
        if known is not None and known.has_content_of(document):
            return self._patch(known, {"metadata": self._all_metadata()})
        if known is None and find_known(self.api, self.project_id, document.external_id) is not None:
            raise PathTaken
        return self._upload(document, file, {} if known is None else known.metadata)

    def _upload(self, document: LocalDocument, file: SourceFile, kept: dict[str, JsonValue]) -> ExistingDocument:
        """Creates a document or replaces the file of one. Raises FileChanged if it is not the file that was hashed."""
        metadata = {**kept, **self._all_metadata(), SOURCE_SHA256: document.sha256}
        form = {"external_id": document.external_id, "metadata": json.dumps(metadata)}
        name = PurePosixPath(document.external_id).name
        plain = "".join(each if each.isprintable() else "_" for each in name)
        with file.path.open("rb") as content:
            if SourceFile.of(file.path, content) != file:
                raise FileChanged
            files = {"file": (plain, content, media_type_by_name(name) or "text/plain")}
            accepted = _read(self.api.upload(self.path("/upload"), form, files))
            if SourceFile.of(file.path, content) != file:
                self._patch(accepted, {"metadata": {SOURCE_SHA256: None}})  # so that the next import sends it again
                raise FileChanged
        return accepted

    def _body(self, document: LocalDocument) -> dict[str, JsonValue]:
        body: dict[str, JsonValue] = {
            "title": document.title,
            "content": document.content,
            "external_id": document.external_id,
        }
        metadata = {**document.metadata, **self._all_metadata()}
        return body | {"metadata": metadata} if metadata else body

    def _new(self, document: LocalDocument) -> JsonValue:
        """Only a new document is given a media type."""
        return {**self._body(document), "media_type": document.media_type}

    def _all_metadata(self) -> dict[str, JsonValue]:
        return self.metadata if self.root is None else {**self.metadata, SOURCE_ROOT: self.root}


def _read(answer: bytes) -> ExistingDocument:
    return ExistingDocument.model_validate_json(answer)
