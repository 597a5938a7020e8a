from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import orjson
import pytest
from httpx2 import AsyncClient, Response
from pydantic import JsonValue

from partywall.settings import Settings
from partywall.testing.users import Person, Users


@dataclass(frozen=True, slots=True)
class Workspace:
    """A project and its owner."""

    project: UUID
    owner: Person

    @property
    def client(self) -> AsyncClient:
        return self.owner.client

    @property
    def url(self) -> str:
        return f"/api/v1/projects/{self.project}/documents"

    async def post(self, path: str = "", **options: object) -> Response:
        return await self.client.post(self.url + path, **options)  # type: ignore[arg-type]  # httpx2's own options

    async def get(self, path: str = "", **options: object) -> Response:
        return await self.client.get(self.url + path, **options)  # type: ignore[arg-type]  # as above

    async def document(self, **fields: object) -> dict[str, object]:
        answer = await self.post(json={"title": "A title", "content": "Some content.", **fields})
        assert answer.status_code == 201, answer.text
        made: dict[str, object] = answer.json()
        return made


@dataclass(frozen=True, slots=True)
class Inside:
    """Database access to the project's events and jobs."""

    users: Users
    project: UUID

    async def events(self) -> list[tuple[str, str, dict[str, JsonValue]]]:
        rows = await self.users.fetch(
            "SELECT type, subject_id, data FROM event WHERE project_id = $1 AND subject_kind = 'document' ORDER BY id",
            self.project,
        )
        return [(row["type"], row["subject_id"], orjson.loads(row["data"])) for row in rows]

    async def pending(self) -> list[str]:
        """The documents that wait to be indexed, oldest first."""
        rows = await self.users.fetch(
            "SELECT id FROM document WHERE project_id = $1 AND index_status = 'pending' ORDER BY id", self.project
        )
        return [str(row["id"]) for row in rows]

    async def jobs(self, kind: str) -> list[dict[str, JsonValue]]:
        rows = await self.users.fetch("SELECT payload FROM job WHERE kind = $1 ORDER BY id", kind)
        payloads = [orjson.loads(row["payload"]) for row in rows]
        return [payload for payload in payloads if payload.get("project_id") == str(self.project)]


@pytest.fixture
async def inside(users: Users, workspace: Workspace) -> Inside:
    return Inside(users, workspace.project)


@pytest.fixture
async def workspace(users: Users) -> Workspace:
    owner = await users.person()
    return Workspace(await owner.project(), owner)


def files(settings: Settings, workspace: Workspace) -> list[Path]:
    """The blobs of the project."""
    return [path for path in (settings.blob_directory / str(workspace.project)).rglob("*") if path.is_file()]
