from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Final
from uuid import UUID

from pydantic import JsonValue, ValidationError

from partywall.core.errors import ConflictError, NotFoundError, PartywallError, TooManyRequestsError
from partywall.core.field_errors import FieldCode, field_error, field_errors

OPEN_RUNS_SECONDS: Final = 30


class AgentNotFoundError(NotFoundError):
    code = "agent_not_found"
    title = "No such agent"


class RunNotFoundError(NotFoundError):
    code = "run_not_found"
    title = "No such run"


class RunNotContinuableError(ConflictError):
    """Only a run of the same agent that succeeded has messages to go on from."""

    code = "run_not_continuable"
    title = "The run cannot be continued"


class TooManyOpenRunsError(TooManyRequestsError):
    """The project, or the account that owns it, has as many runs that are not over as it may have."""

    code = "too_many_open_runs"
    title = "Too many runs are not over yet"

    def __init__(self, scope: str, used: int, limit: int) -> None:
        super().__init__(OPEN_RUNS_SECONDS, f"{used} of {limit} runs of this {scope} are queued, running or waiting.")
        self.extensions = {"scope": scope, "used": used, "limit": limit}


class RunNotWaitingError(ConflictError):
    code = "run_not_waiting"
    title = "The run waits for no decision"


class RunPendingChangedError(ConflictError):
    """The decision names another step than the one that the run waits for."""

    code = "run_pending_changed"
    title = "The run does not wait for what was decided"

    def __init__(self) -> None:
        super().__init__("Nothing was decided. Read the run again, and decide on what it shows in `pending` now.")


class RunFinishedError(ConflictError):
    code = "run_finished"
    title = "The run is over"


class RunNotFinishedError(ConflictError):
    code = "run_not_finished"
    title = "The run is not over yet"


class TryAgainError(Exception):
    """What a tool raises for the run to be tried again later: what it needs is away, and may come back.

    `detail` is shown to people where it does not; `after` is how long to wait at least.
    """

    def __init__(self, detail: str, after: timedelta | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.after = after


class NothingToWorkOnError(NotFoundError):
    """The model can do nothing about it, so it is not told: the run ends with this."""


class NothingFoundError(NothingToWorkOnError):
    code = "nothing_found"
    title = "A search finds nothing to work on"


class DocumentGoneError(NothingToWorkOnError):
    """One that the caller gave to the run, and that was deleted since."""

    code = "document_not_found"
    title = "No such document"

    def __init__(self, document_id: UUID) -> None:
        super().__init__(f"The document {document_id}, which was given to the run, was deleted after its start.")


class DraftOutdatedError(ConflictError):
    """What is to be written over is no longer what was read."""

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


class SchemaTooCostlyError(PartywallError):
    status = 422
    code = "schema_too_costly"
    title = "Checking against this schema takes too many steps"


class SchemaRefusedError(ValueError):
    """Of a caller's JSON Schema; `pointer` leads into it, and the message is shown to people."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer


class AgentInputError(PartywallError):
    """The input does not fit the agent's input schema, or names a document that does not exist; each pointer leads into
    the request's body."""

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
        """The same at each of these; they lead into the input."""
        return cls({"errors": [field_error(f"/input{pointer}", code, message) for pointer in pointers]})
