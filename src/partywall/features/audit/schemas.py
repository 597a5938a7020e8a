from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import Field

from partywall.core.schemas import Instant, JsonObject, ResponseModel, SortedQuery


class AuditRecord(ResponseModel):
    id: UUID
    action: str = Field(description="Such as `login.failed` or `project.key_created`; others may be added")
    actor: str | None = Field(description="`user:<id>` or `key:<id>`; null without a login")
    subject: str | None = Field(description="What was acted on, such as `api_key:<id>`")
    data: JsonObject
    client: str | None = Field(description="The network that the request came from: /24, or /48 with IPv6")
    request_id: str | None
    created_at: Instant


class AuditQuery(SortedQuery):
    sort: Literal["-created_at", "created_at"] = "-created_at"
