from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Self
from uuid import UUID, uuid4

import asyncpg
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from partywall.core.resources import Resources
from partywall.core.tenancy import Principal
from partywall.testing.engines import DatabaseUrls, Superuser, superuser

type Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]

NUMBER_PENDING_EVENTS = """
    SELECT wall.catch_up_events(project_id, 1000000)
    FROM wall.projects_with_pending_events('00000000-0000-0000-0000-000000000000', 1000000) AS project_id
"""
LOOKS = 200
_OF_EVENTS = re.compile(r"\b(?:FROM|UPDATE|JOIN) event(?:_counter)?\b")


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


class Users:
    """Writes accounts straight into the table, so that only registration tests depend on registration.

    `shared` are superuser connections to `database`; without them, it opens and closes its own.
    """

    def __init__(
        self, app: FastAPI, resources: Resources, database: DatabaseUrls, shared: Superuser | None = None
    ) -> None:
        self._app = app
        self._resources = resources
        self._database = database
        self._shared = shared
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._superuser: Superuser = self._shared or await self._stack.enter_async_context(superuser(self._database))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def execute(self, sql: str, *values: object) -> str:
        """Runs SQL as the database's superuser, whom no policy restricts; see `fetch`."""
        await self._number_events_for(sql)
        return str(await self._superuser.execute(sql, *values))

    async def fetch(self, sql: str, *values: object) -> list[asyncpg.Record]:
        """The rows, as the superuser sees them. A query of the events includes every event committed so far."""
        await self._number_events_for(sql)
        return list(await self._superuser.fetch(sql, *values))

    async def _number_events_for(self, sql: str) -> None:
        """The application numbers events and notifies the streams. Where it has not done so yet, this does."""
        if not _OF_EVENTS.search(sql):
            return
        for _ in range(LOOKS):
            if not await self._superuser.fetchval("SELECT EXISTS (SELECT FROM pending_event)"):
                return
            await asyncio.sleep(0.01)
        await self._superuser.execute(NUMBER_PENDING_EVENTS)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A superuser transaction that blocks others."""
        async with self._superuser.acquire() as connection, connection.transaction():
            yield connection

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
