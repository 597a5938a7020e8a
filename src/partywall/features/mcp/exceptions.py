from __future__ import annotations

from pydantic import ValidationError

from partywall.core.errors import PartywallError
from partywall.core.field_errors import field_errors


class ArgumentsError(PartywallError):
    """The arguments of a tool do not fit its schema; pointers lead into the arguments."""

    status = 422
    code = "validation_failed"
    title = "The arguments are not valid"

    def __init__(self, error: ValidationError) -> None:
        super().__init__("See errors.", extensions=field_errors(error.errors()))


class InternalError(PartywallError):
    """An unexpected error. Its details are only in the log, under the request id."""

    def __init__(self) -> None:
        super().__init__("Something went wrong; quote the request id.")
