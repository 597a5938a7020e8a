from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from pydantic import JsonValue

from partywall.core.errors import ConflictError, NotFoundError, PartywallError, UnsupportedMediaTypeError
from partywall.core.tenancy import ProjectNotFoundError


class DocumentNotFoundError(NotFoundError):
    code = "document_not_found"
    title = "No such document"


class NotInTrashError(NotFoundError):
    code = "document_not_in_trash"
    title = "The trash has no such document"


class DeletionNotFoundError(NotFoundError):
    code = "deletion_not_found"
    title = "No such deletion"


class TooManyDeletionsError(ConflictError):
    code = "too_many_deletions"
    title = "Other deletions by filter of this project have yet to end"


class VersionNotFoundError(NotFoundError):
    code = "version_not_found"
    title = "The document has no such version"


class OriginalNotFoundError(NotFoundError):
    code = "original_not_found"
    title = "The document was not uploaded as a file"


class ExternalIdTakenError(ConflictError):
    """In a batch, `index` is the position of the document whose external id is taken."""

    code = "external_id_taken"
    title = "Another document has this external id"

    def __init__(self, index: int | None = None) -> None:
        pointer = "/external_id" if index is None else f"/documents/{index}/external_id"
        extensions: dict[str, JsonValue] = (
            {"pointer": pointer} if index is None else {"pointer": pointer, "index": index}
        )
        super().__init__(extensions=extensions)


class NotTextError(UnsupportedMediaTypeError):
    """The file is not text of an accepted media type and charset."""


class NotUtf8Error(NotTextError):
    """The file's text is not UTF-8."""


VIOLATIONS: Final[Mapping[str, Callable[[], PartywallError]]] = {
    "document_external_id_key": ExternalIdTakenError,
    "document_project_id_fkey": ProjectNotFoundError,
}
