"""What a job stores: its parameters, and the request that caused it."""

from __future__ import annotations

from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from structlog.contextvars import get_contextvars

from partywall.core.current_request import current_request_id
from partywall.core.tenancy import Principal


def causing_request() -> str | None:
    """The id of the current request, or of the request that caused the current job."""
    found = get_contextvars().get("request_id") or current_request_id()
    return None if found is None else str(found)


class JobPayload(BaseModel):
    """A job's parameters. They outlive deploys: add fields with defaults, never rename one.

    `request_id` is the id of the request that caused the job, directly or through other jobs; log lines include it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    request_id: str | None = Field(default_factory=causing_request)

    @property
    def facts(self) -> dict[str, str]:
        """The fields bound to its log lines."""
        return {} if self.request_id is None else {"request_id": self.request_id}


class ProjectJobPayload(JobPayload):
    """A job in one project. The access of `principal` is checked again when the job runs."""

    project_id: UUID
    principal: str

    @property
    def facts(self) -> dict[str, str]:
        return {**super().facts, "project_id": str(self.project_id)}

    @property
    def acting(self) -> Principal:
        return Principal.parse(self.principal)
