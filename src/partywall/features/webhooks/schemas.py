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
    Field(description="An `https://` URL on the public Internet.", json_schema_extra={"format": "uri"}),
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
        description="For example `document.*` or `member.added`; null for all but `run.token`, which `run.*` includes.",
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
        default_factory=bool, description="True also enables a webhook that failures have disabled."
    )


class Webhook(ResponseModel):
    """A webhook. `disabled_reason` says why the server disabled it: `gone` (the receiver answered 410), `failing`, or
    `reclaimed` (its creator did not own the account's address, whose owner has confirmed it since)."""

    id: UUID
    url: str
    types: list[str] | None
    description: str | None
    enabled: bool
    disabled_reason: DisabledReason | None
    created_at: Instant
    updated_at: Instant


class SecretWebhook(Webhook):
    """The only responses with the secret; replays omit it."""

    secret: str | None = Field(default=None, description="`whsec_...`, which verifies deliveries; shown only once.")


class WebhookQuery(SortedQuery):
    sort: Literal["-created_at", "created_at"] = "-created_at"


class Delivery(ResponseModel):
    """One event for one webhook; every attempt sends `id` as `webhook-id`.

    `status_code` and `error` describe the last attempt; `next_attempt_at` is null once the delivery is finished.
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
