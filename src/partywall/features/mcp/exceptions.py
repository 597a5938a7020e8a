from __future__ import annotations

from pydantic import ValidationError

from partywall.core.errors import PartywallError
from partywall.core.http.problems import pointer


class ArgumentsError(PartywallError):
    """The arguments of a tool do not fit its schema; each pointer leads into them."""

    status = 422
    code = "validation_failed"
    title = "The arguments are not valid"

    def __init__(self, error: ValidationError) -> None:
        super().__init__(
            "See errors.",
            extensions={
                "errors": [
                    {"pointer": pointer(("body", *item["loc"])) + item.get("ctx", {}).get("pointer", ""),
                     "message": item["msg"].encode("utf-8", "replace").decode()}
                    for item in error.errors()
                ]
            },
        )  # fmt: skip


class InternalError(PartywallError):
    """Nobody foresaw it: it says nothing but the request id, which stands beside it."""

    def __init__(self) -> None:
        super().__init__("Something went wrong; quote the request id.")
