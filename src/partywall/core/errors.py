"""The base of all expected errors. `core.http.problems` turns them into problem details (RFC 9457)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from pydantic import JsonValue

from partywall.core.field_errors import FieldCode, field_error


class PartywallError(Exception):
    """An expected failure that rolls back the unit of work and is reported to the caller.

    Subclasses set `status`, `code` and `title`; their constructors take typed arguments and pass a `detail` without
    secrets. `headers` are added to the response, `extensions` to its body.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"

    def __init__(
        self,
        detail: str = "",
        *,
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, JsonValue] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.headers = dict(headers or {})
        self.extensions = dict(extensions or {})


class BadRequestError(PartywallError):
    status = 400
    code = "bad_request"
    title = "Bad request"


class NotAuthenticatedError(PartywallError):
    status = 401
    code = "not_authenticated"
    title = "A valid credential is required"
    challenge: ClassVar[str] = "Bearer"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, headers={"WWW-Authenticate": self.challenge})


class InvalidTokenError(NotAuthenticatedError):
    """The given token or key is expired, revoked or unknown (RFC 6750)."""

    challenge = 'Bearer error="invalid_token", error_description="The token is expired, revoked or unknown"'


class ForbiddenError(PartywallError):
    status = 403
    code = "forbidden"
    title = "Not allowed"


class MissingRightError(ForbiddenError):
    """The caller can read the resource but lacks the right for this action."""

    code = "missing_right"
    title = "The role lacks a right"

    def __init__(self, right: str) -> None:
        super().__init__(f"This requires the right {right}.", extensions={"right": right})


class QuotaExceededError(ForbiddenError):
    """An operator's limit would be exceeded. `used` and `limit` are None if the caller may not see them."""

    code = "quota_exceeded"
    title = "A quota is used up"

    def __init__(
        self,
        quota: str,
        used: JsonValue = None,
        requested: JsonValue = None,
        limit: JsonValue = None,
        *,
        why: str | None = None,
    ) -> None:
        numbers: dict[str, JsonValue] = {"used": used, "requested": requested, "limit": limit}
        told = {} if limit is None else numbers
        said = "" if limit is None else f" The limit is {limit}; {used} used, {requested} more requested."
        detail = f"The quota of {quota.replace('_', ' ')} is used up.{said}{f' {why}' if why else ''}"
        super().__init__(detail, extensions={"quota": quota, **told})


class PersonRequiredError(ForbiddenError):
    code = "person_required"
    title = "This requires a user, not a project's key"


class NotFoundError(PartywallError):
    status = 404
    code = "not_found"
    title = "Not found"


class ConflictError(PartywallError):
    status = 409
    code = "conflict"
    title = "Conflict"


class PreconditionFailedError(PartywallError):
    status = 412
    code = "precondition_failed"
    title = "The resource has changed"


class ContentTooLargeError(PartywallError):
    status = 413
    code = "content_too_large"
    title = "The content is too large"


class UnsupportedMediaTypeError(PartywallError):
    status = 415
    code = "unsupported_media_type"
    title = "The media type is not supported"


class InvalidInputError(PartywallError):
    """A value that a schema alone cannot validate. `pointer` is its JSON pointer or parameter."""

    status = 422
    code = "validation_failed"
    title = "The request is not valid"

    def __init__(self, pointer: str, code: FieldCode, message: str) -> None:
        super().__init__(message, extensions={"errors": [field_error(pointer, code, message)]})


class ForeignCursorError(InvalidInputError):
    """A cursor of another list, or an invalid one."""

    def __init__(self, pointer: str = "/query/cursor") -> None:
        super().__init__(pointer, FieldCode.BAD_CURSOR, "This cursor does not belong to this list")


class TooManyRequestsError(PartywallError):
    status = 429
    code = "too_many_requests"
    title = "Too many requests"

    def __init__(self, retry_after: int, detail: str = "") -> None:
        super().__init__(detail, headers={"Retry-After": str(max(1, retry_after))})


class UnavailableError(PartywallError):
    status = 503
    code = "unavailable"
    title = "Not available right now"
