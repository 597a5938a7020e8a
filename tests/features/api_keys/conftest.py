from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from partywall.testing.users import Person, Users


@dataclass(frozen=True, slots=True)
class Key:
    id: UUID
    secret: str
    client: AsyncClient


type MakeKey = Callable[..., Awaitable[Key]]


@pytest.fixture
async def owner(users: Users) -> Person:
    return await users.person()


@pytest.fixture
async def project(owner: Person) -> UUID:
    return await owner.project()


@pytest.fixture
async def make_key(app: FastAPI) -> AsyncIterator[MakeKey]:
    """`await make_key(owner, project, role="viewer")` creates a key through the API and a client that sends it."""
    clients: list[AsyncClient] = []

    async def make(owner: Person, project: UUID, role: str = "viewer", **more: str) -> Key:
        answer = await owner.client.post(
            f"/api/v1/projects/{project}/api-keys", json={"name": f"a {role} key", "role": role, **more}
        )
        assert answer.status_code == 201, answer.text
        secret = answer.json()["secret"]
        transport = ASGITransport(app, raise_app_exceptions=False)
        client = AsyncClient(transport=transport, base_url="http://test", headers={"Authorization": f"Bearer {secret}"})
        clients.append(client)
        return Key(UUID(answer.json()["id"]), secret, client)

    yield make
    for client in clients:
        await client.aclose()
