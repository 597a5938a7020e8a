from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Self
from uuid import UUID, uuid4

import asyncpg
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from partywall.core.resources import Resources
from partywall.core.tenancy import Principal
from tests.engines import DatabaseUrls


@dataclass(frozen=True, slots=True)
class Person:
    """An account and its client; `client` sends the access token with every request."""

    id: UUID
    email: str
    token: str
    client: AsyncClient

    @property
    def principal(self) -> Principal:
        return Principal.user(self.id)

    async def project(self, name: str = "A project") -> UUID:
        answer = await self.client.post("/api/v1/projects", json={"name": name})
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["id"])


class People:
    """Accounts are written straight into the table, so that only tests of registering depend on it."""

    def __init__(self, app: FastAPI, resources: Resources, database: DatabaseUrls) -> None:
        self._app = app
        self._resources = resources
        self._database = database
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def execute(self, sql: str, *values: object) -> str:
        """Runs SQL as the database's superuser, whom no policy binds."""
        connection = await asyncpg.connect(DatabaseUrls.dsn(self._database.superuser))
        try:
            return str(await connection.execute(sql, *values))
        finally:
            await connection.close()

    async def fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
        """The rows, as the superuser sees them."""
        connection = await asyncpg.connect(DatabaseUrls.dsn(self._database.superuser))
        try:
            return list(await connection.fetch(sql, *values))
        finally:
            await connection.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[asyncpg.Connection]:
        """A transaction of the superuser's, to stand in the way of others."""
        connection = await asyncpg.connect(DatabaseUrls.dsn(self._database.superuser))
        try:
            async with connection.transaction():
                yield connection
        finally:
            await connection.close()

    async def person(self) -> Person:
        id_ = uuid4()
        email = f"{id_.hex}@example.com"
        await self.execute("INSERT INTO account (id, email, email_verified_at) VALUES ($1, $2, now())", id_, email)
        issued = await self._resources.access_tokens.issue(id_, uuid4())
        transport = ASGITransport(self._app, raise_app_exceptions=False)
        headers = {"Authorization": f"Bearer {issued.token}"}
        client = AsyncClient(transport=transport, base_url="http://test", headers=headers)
        await self._stack.enter_async_context(client)
        return Person(id_, email, issued.token, client)

    async def join(self, project: UUID, person: Person, role: str) -> None:
        await self.execute(
            "INSERT INTO project_member (project_id, account_id, role) VALUES ($1, $2, $3)", project, person.id, role
        )
