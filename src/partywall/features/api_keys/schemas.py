from __future__ import annotations

from typing import Literal
from uuid import UUID

from pydantic import ConfigDict, Field

from partywall.core.schemas import GivenInstant, Instant, Name, RequestModel, ResponseModel, SortedQuery

# A key cannot be an owner: only people may delete or transfer a project.
type KeyRole = Literal["admin", "editor", "viewer"]


class ApiKeyCreate(RequestModel):
    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Nightly import", "role": "editor"}]})

    name: Name
    role: KeyRole
    expires_at: GivenInstant | None = Field(default=None, description="In the future; without it, a key never expires.")


class ApiKey(ResponseModel):
    """A project's key. `prefix` is the visible beginning of the secret; `last_used_at` is accurate to a minute."""

    id: UUID
    name: str
    prefix: str
    role: KeyRole
    expires_at: Instant | None
    last_used_at: Instant | None
    created_at: Instant


class CreatedApiKey(ApiKey):
    """The only answer with the secret; replays omit it."""

    secret: str | None = Field(default=None, description="Send it as `Authorization: Bearer pw_...`; shown only once.")


class ApiKeyQuery(SortedQuery):
    sort: Literal["-created_at", "created_at"] = "-created_at"
