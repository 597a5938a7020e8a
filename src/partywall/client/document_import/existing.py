"""The documents that the project already has, by external id."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue

from partywall.client.api import Api
from partywall.client.document_import.files import LocalDocument

SOURCE_SHA256 = "source_sha256"
# The folder that the document was imported from.
SOURCE_ROOT = "source_root"


def source_root(source: Path) -> str:
    """Returns the folder's name and a hash of its path, so that the server does not learn the path."""
    folder = (source if source.is_dir() else source.parent).resolve()
    name = os.fsencode(folder.name).decode(errors="replace")
    return f"{name}#{hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]}"


class ExistingDocument(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: str
    external_id: str | None
    title: str
    content_sha256: str
    metadata: dict[str, JsonValue]
    status: str = "draft"
    version: int = 1
    media_type: str = ""
    index_status: str = "pending"
    index_error: str | None = None
    warnings: list[str] = []
    revision: int = 1
    created_at: str = ""
    updated_at: str = ""
    created_by: str = ""

    @property
    def lasting_error(self) -> str | None:
        return self.index_error if self.index_status == "failed" else None

    @property
    def awaits_reading(self) -> bool:
        """Whether it cannot be found yet. A document that only lacks vectors is pending with another reason."""
        return self.index_status == "pending" and (self.index_error is None or self.index_error.startswith("reading:"))

    def has_content_of(self, local: LocalDocument) -> bool:
        """Compares an uploaded file by its hash, since the server's content is the extracted text."""
        kept = self.content_sha256 if local.upload is None else self.metadata.get(SOURCE_SHA256)
        return kept == local.sha256

    def same_as(self, local: LocalDocument, metadata: Mapping[str, JsonValue]) -> bool:
        """Compares content, title and `metadata`; not the title of an uploaded file, which the server reads."""
        return (
            self.has_content_of(local)
            and (local.upload is not None or self.title == local.title)
            and all(self.metadata.get(key) == value for key, value in metadata.items())
        )

    @property
    def root(self) -> str | None:
        root = self.metadata.get(SOURCE_ROOT)
        return root if isinstance(root, str) else None


class _Total(BaseModel):
    model_config = ConfigDict(extra="ignore")

    total: int


class _Page(BaseModel):
    items: list[ExistingDocument]
    next_cursor: str | None


def list_documents(
    api: Api, project_id: str, index_status: str | None = None, filter_: str | None = None
) -> Iterator[ExistingDocument]:
    """Yields the project's documents, oldest first. `filter_` is the JSON of a filter."""
    params: dict[str, str | int] = {"limit": 100, "sort": "created_at"}
    given = {"index_status": index_status, "filter": filter_}
    params |= {name: value for name, value in given.items() if value is not None}
    while True:
        page = _Page.model_validate_json(api.get(f"/projects/{project_id}/documents", params))
        yield from page.items
        if page.next_cursor is None:
            return
        params["cursor"] = page.next_cursor


def count_documents(api: Api, project_id: str, filter_: str | None = None) -> int:
    if filter_ is None:
        return _Total.model_validate_json(api.get(f"/projects/{project_id}/documents/stats")).total
    params: dict[str, str | int] = {"filter": filter_, "offset": 0, "limit": 1}
    return _Total.model_validate_json(api.get(f"/projects/{project_id}/documents", params)).total


def known_documents(api: Api, project_id: str) -> dict[str, ExistingDocument]:
    found = list_documents(api, project_id)
    return {unicodedata.normalize("NFC", each.external_id): each for each in found if each.external_id}


def find_known(api: Api, project_id: str, external_id: str) -> ExistingDocument | None:
    page = _Page.model_validate_json(api.get(f"/projects/{project_id}/documents", {"external_id": external_id}))
    return page.items[0] if page.items else None
