from __future__ import annotations

from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, JsonValue

from partywall.client.api import Api
from partywall.client.errors import ApiError, ClientError
from partywall.client.store import RememberedProject

LONGEST_NAME: Final = 200


class Project(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: str
    name: str
    role: str | None = None

    @property
    def remembered(self) -> RememberedProject:
        return RememberedProject(id=self.id, name=self.name)


class _Page(BaseModel):
    items: list[Project]
    next_cursor: str | None


def list_projects(api: Api) -> list[Project]:
    found: list[Project] = []
    params: dict[str, str | int] = {"limit": 100, "sort": "created_at"}
    while True:
        page = _Page.model_validate_json(api.get("/projects", params))
        found += page.items
        if page.next_cursor is None:
            return found
        params["cursor"] = page.next_cursor


def check_name(name: str) -> None:
    """Raises ClientError if a project cannot have this name."""
    if not 0 < len(name.strip()) <= LONGEST_NAME:
        raise ClientError(f"a project's name has 1 to {LONGEST_NAME} characters")


def create_project(api: Api, name: str, language: str | None = None) -> Project:
    check_name(name)
    body: dict[str, JsonValue] = {"name": name}
    if language is not None:
        body["language"] = language
    return Project.model_validate_json(api.create("/projects", body))


def find_project(api: Api, name: str) -> Project | None:
    """Finds a project by name or id. Raises ClientError if several have the name."""
    if _is_id(name):
        try:
            return Project.model_validate_json(api.get(f"/projects/{name}"))
        except ApiError as error:
            if error.status != 404:
                raise
    matches = [project for project in list_projects(api) if project.name == name.strip()]
    if len(matches) > 1:
        ids = ", ".join(project.id for project in matches)
        raise ClientError(f"{len(matches)} projects are called {name!r}: use the id of one ({ids})")
    return matches[0] if matches else None


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
