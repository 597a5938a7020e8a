"""Errors that become problem answers (RFC 9457). Subclass them with a `code` and a `title` of your own."""

from __future__ import annotations

from partywall.core.errors import (
    BadRequestError,
    ConflictError,
    ContentTooLargeError,
    ForbiddenError,
    InvalidInputError,
    MissingRightError,
    NotFoundError,
    PartywallError,
    PersonRequiredError,
    PreconditionFailedError,
    QuotaExceededError,
    TooManyRequestsError,
    UnavailableError,
    UnsupportedMediaTypeError,
)
from partywall.core.preconditions import require_match

__all__ = [
    "BadRequestError",
    "ConflictError",
    "ContentTooLargeError",
    "ForbiddenError",
    "InvalidInputError",
    "MissingRightError",
    "NotFoundError",
    "PartywallError",
    "PersonRequiredError",
    "PreconditionFailedError",
    "QuotaExceededError",
    "TooManyRequestsError",
    "UnavailableError",
    "UnsupportedMediaTypeError",
    "require_match",
]
