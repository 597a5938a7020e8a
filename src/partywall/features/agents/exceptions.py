from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from uuid import UUID

from pydantic import JsonValue, ValidationError

from partywall.core.errors import ConflictError, NotFoundError, PartywallError
from partywall.core.field_errors import FieldCode, field_error, field_errors


class AgentNotFoundError(NotFoundError):
    code = "agent_not_found"
    title = "No such agent"


class TryAgainError(Exception):
    """Raised by a tool whose service is unavailable, to retry the run later.

    `detail` is shown to users if the retries fail; `after` is the minimum wait.
    """

    def __init__(self, detail: str, after: timedelta | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.after = after


class NothingToWorkOnError(NotFoundError):
    """Fails the run instead of being reported to the model, which cannot fix it."""


class NothingFoundError(NothingToWorkOnError):
    code = "nothing_found"
    title = "The search found no documents"


class DocumentGoneError(NothingToWorkOnError):
    """A document in the run's input was deleted after its start."""

    code = "document_not_found"
    title = "No such document"

    def __init__(self, document_id: UUID) -> None:
        super().__init__(f"The document {document_id} in the run's input was deleted after the run started.")


class DraftOutdatedError(ConflictError):
    """The document to be overwritten has changed since the run read it."""

    code = "draft_outdated"
    title = "The document has changed since it was read"

    def __init__(self, read: int | None, now: int) -> None:
        super().__init__(
            f"Nothing was written: the document had the version {read} when it was read, and has {now} now. Read it "
            "again and propose a draft on top of what it says now."
        )


class DraftTwiceError(ConflictError):
    code = "draft_twice"
    title = "Nothing was written: only one draft can be decided on at a time"


class AgentInputError(PartywallError):
    """The input does not fit the agent's input schema, or names a missing document. Pointers lead into the body."""

    status = 422
    code = "validation_failed"
    title = "The request is not valid"

    def __init__(self, extensions: Mapping[str, JsonValue]) -> None:
        super().__init__("See errors.", extensions=extensions)

    @classmethod
    def of(cls, error: ValidationError) -> AgentInputError:
        return cls(field_errors(error.errors(), "/input"))

    @classmethod
    def at(cls, pointers: Iterable[str], code: FieldCode, message: str) -> AgentInputError:
        """The same error at each of `pointers`, which lead into the input."""
        return cls({"errors": [field_error(f"/input{pointer}", code, message) for pointer in pointers]})
