from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from partywall.core.pagination import PageQuery
from partywall.core.schemas import Instant, Name, RequestModel, ResponseModel
from partywall.core.tenancy import Role

Description = Annotated[str, StringConstraints(max_length=10_000)]


class ProjectCreate(RequestModel):
    model_config = ConfigDict(
        json_schema_extra={"examples": [{"name": "Contracts", "description": "Supplier contracts"}]}
    )

    name: Name
    description: Description | None = None


class ProjectPatch(RequestModel):
    """A JSON merge patch: what is absent stays as it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"name": "Contracts 2027"}]})

    name: Name = Field(default_factory=str)
    description: Description | None = None


class Project(ResponseModel):
    """A project as the caller sees it; `role` is the caller's own."""

    id: UUID
    name: str
    description: str | None
    role: Role
    created_at: Instant
    updated_at: Instant


type ProjectSort = Literal["-created_at", "created_at", "title", "-title", "updated_at", "-updated_at"]


class ProjectQuery(PageQuery):
    """Sorting by `title` sorts by the name."""

    sort: ProjectSort = "-created_at"
