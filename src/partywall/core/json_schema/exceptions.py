from __future__ import annotations

from partywall.core.errors import PartywallError


class SchemaTooCostlyError(PartywallError):
    status = 422
    code = "schema_too_costly"
    title = "Checking against this schema takes too many steps"


class SchemaRefusedError(ValueError):
    """A caller's JSON Schema is rejected. `pointer` is a JSON pointer into it; the message is shown to users."""

    def __init__(self, pointer: str, message: str) -> None:
        super().__init__(message)
        self.pointer = pointer
