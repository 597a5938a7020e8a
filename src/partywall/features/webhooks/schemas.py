from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StrictBool, StringConstraints

from partywall.core.events.filters import ONE
from partywall.core.outgoing.destinations import LONGEST
from partywall.core.schemas import Instant, RequestModel, ResponseModel, SortedQuery
from partywall.features.webhooks.constants import MAX_TYPES

Url = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LONGEST),
    Field(description="`https://`, on the public Internet.", json_schema_extra={"format": "uri"}),
]
Description = Annotated[str, StringConstraints(max_length=1000)]
TypePattern = Annotated[
    str,
    StringConstraints(pattern=rf"^{ONE}$", max_length=100),
    Field(examples=["document.*"]),
]
TypePatterns = Annotated[
    list[TypePattern],
    Field(
        min_length=1,
        max_length=MAX_TYPES,
        description="Such as `document.*` or `member.added`; null for all but `run.token`, which `run.*` includes.",
    ),
]
type DisabledReason = Literal["gone", "failing", "reclaimed"]
type DeliveryStatus = Literal["pending", "succeeded", "failed"]


class WebhookCreate(RequestModel):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"url": "https://example.com/partywall", "types": ["document.*"]}]}
    )

    url: Url
    types: TypePatterns | None = None
    description: Description | None = None


class WebhookPatch(RequestModel):
    """A JSON merge patch: what is absent stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"enabled": True}]})

    url: Url = Field(default_factory=str)
    types: TypePatterns | None = None
    description: Description | None = None
    enabled: StrictBool = Field(
        default_factory=bool, description="True also takes up again what was disabled by failures."
    )


class Webhook(ResponseModel):
    """A webhook. `disabled_reason` says why it was disabled where no person did: `gone` (410), `failing`, or
    `reclaimed`: whoever had made it did not own the address of the account, whose owner has confirmed it since."""

    id: UUID
    url: str
    types: list[str] | None
    description: str | None
    enabled: bool
    disabled_reason: DisabledReason | None
    created_at: Instant
    updated_at: Instant


class SecretWebhook(Webhook):
    """The only answers that hold a secret; a replay of them does not."""

    secret: str | None = Field(default=None, description="`whsec_...`, which verifies what is sent; shown this once.")


class WebhookQuery(SortedQuery):
    sort: Literal["-created_at", "created_at"] = "-created_at"


class Delivery(ResponseModel):
    """One event for one webhook; `id` is sent as `webhook-id` with every attempt.

    `status_code` and `error` are of the last attempt, `next_attempt_at` is null once it is finished.
    """

    id: UUID
    webhook_id: UUID
    event_id: int
    event_type: str
    status: DeliveryStatus
    attempts: int
    status_code: int | None
    error: str | None
    next_attempt_at: Instant | None
    created_at: Instant
    finished_at: Instant | None


class DeliveryQuery(SortedQuery):
    sort: Literal["-created_at", "created_at"] = "-created_at"
    status: DeliveryStatus | None = None
