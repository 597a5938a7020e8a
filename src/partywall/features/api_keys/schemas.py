from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from partywall.core.schemas import GivenInstant, Instant, Name, RequestModel, ResponseModel, SortedQuery

# A key never owns: whether there is a project at all is for people to say.
type KeyRole = Literal["admin", "editor", "viewer"]


class ApiKeyCreate(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Nightly import", "role": "editor"}]})

    name: Name
    role: KeyRole
    expires_at: GivenInstant | None = Field(default=None, description="In the future; without it the key stays good.")


class ApiKey(ResponseModel):
    """A project's key. `prefix` is how it begins, for people to know it by; `last_used_at` is true to a minute."""

    id: UUID
    name: str
    prefix: str
    role: KeyRole
    expires_at: Instant | None
    last_used_at: Instant | None
    created_at: Instant


class CreatedApiKey(ApiKey):
    """The only answer that holds the secret; a replay of it does not."""

    secret: str | None = Field(default=None, description="Sent as `Authorization: Bearer pw_...`; shown this once.")


class ApiKeyQuery(SortedQuery):
    sort: Literal["-created_at", "created_at"] = "-created_at"
