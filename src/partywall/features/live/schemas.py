from __future__ import annotations

from typing import Annotated, Final, Self

from pydantic import BeforeValidator, ConfigDict, Field, StrictInt, StringConstraints, model_validator

from partywall.core.events.filters import PATTERN
from partywall.core.schemas import WHOLE, WITHOUT_BLANKS, JsonObject, RequestModel, ResponseModel

EventNumber = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,18}$")]
# Some clients send the header empty before they have received an event.
Received = Annotated[
    Annotated[str, StringConstraints(pattern=r"^[0-9]{0,18}$")] | None,
    BeforeValidator(lambda value: value or None),
    WITHOUT_BLANKS,
]
TypePatterns = Annotated[str, StringConstraints(pattern=PATTERN, max_length=1000)]

# One server-sent event. OpenAPI has no type for a stream of them.
WIRE_SCHEMA: Final[JsonObject] = {
    "type": "object",
    "properties": {
        "id": {"type": "string", "description": "The event's number in the project; resume after it."},
        "event": {"type": "string", "examples": ["document.indexed"]},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
    "required": ["id", "event", "data"],
}


class Ticket(ResponseModel):
    """Replaces the credential of the caller who requested it, once, within `expires_in` seconds."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"ticket": "Jq3v...", "expires_in": 30}]})

    ticket: str
    expires_in: int


class SocketHello(RequestModel):
    """The first message of a WebSocket: a token or a ticket, the position to start after, and the event types."""

    token: str | None = None
    ticket: Annotated[str, StringConstraints(max_length=200)] | None = None
    after: Annotated[StrictInt, Field(ge=0, lt=10**18), WHOLE] | None = None
    types: TypePatterns | None = None

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        if self.token is not None and self.ticket is not None:
            raise ValueError("a token or a ticket, not both")
        return self
