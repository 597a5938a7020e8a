from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import UUID

import pytest
from httpx import AsyncClient, Response

from tests.people import People, Person


@dataclass(frozen=True, slots=True)
class Shelf:
    """A project with an owner who writes documents."""

    project: UUID
    owner: Person

    @property
    def client(self) -> AsyncClient:
        return self.owner.client

    @property
    def url(self) -> str:
        return f"/api/v1/projects/{self.project}/documents"

    async def post(self, path: str = "", **options: object) -> Response:
        return await self.client.post(self.url + path, **options)  # type: ignore[arg-type]  # httpx's own options

    async def get(self, path: str = "", **options: object) -> Response:
        return await self.client.get(self.url + path, **options)  # type: ignore[arg-type]  # as above

    async def document(self, **fields: object) -> dict[str, object]:
        answer = await self.post(json={"title": "A title", "content": "Some content.", **fields})
        assert answer.status_code == 201, answer.text
        made: dict[str, object] = answer.json()
        return made


@pytest.fixture
async def shelf(people: People) -> AsyncIterator[Shelf]:
    owner = await people.person()
    yield Shelf(await owner.project(), owner)
