from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from httpx2 import ASGITransport, AsyncClient, Response

from partywall.core.embedders import Embedder
from partywall.core.ids import new_id
from partywall.core.jobs.kinds import JobHandler
from partywall.core.resources import Resources
from partywall.features.search.feature import feature
from partywall.testing.conditions import until
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Person, Users
from partywall.testing.workers import WAITING, working


@dataclass(frozen=True, slots=True)
class SearchWorkspace:
    """A project and its owner; documents are inserted into the table and indexed by a worker.

    `work` indexes all due documents of all projects; `index` first requests it for the given documents.
    """

    users: Users
    person: Person
    project: UUID
    resources: Resources
    database: DatabaseUrls

    async def put(
        self,
        title: str,
        content: str = "",
        *,
        status: str = "draft",
        metadata: Mapping[str, str] | None = None,
        media_type: str = "text/plain",
    ) -> UUID:
        made = new_id()
        await self.users.execute(
            "INSERT INTO document"
            " (project_id, id, title, content, status, metadata, size, content_sha256, media_type, created_by)"
            " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'user:test')",
            self.project, made, title, content, status, json.dumps(dict(metadata or {})), len(content.encode()),
            hashlib.sha256(content.encode()).hexdigest(), media_type,
        )  # fmt: skip
        return made

    async def ask(self, *documents: UUID) -> None:
        """Requests reindexing of the documents."""
        await self.users.execute(
            "UPDATE document SET index_status = 'pending', index_error = NULL WHERE id = ANY ($1)", list(documents)
        )

    async def index(self, *documents: UUID, resources: Resources | None = None) -> None:
        await self.ask(*documents)
        await self.work(resources)

    async def work(self, resources: Resources | None = None, handlers: Sequence[JobHandler] = feature.jobs) -> None:
        """Indexes documents and runs the handlers' jobs until nothing is left."""
        kinds = [handler.kind.name for handler in handlers]

        async def idle() -> bool:
            queued = "SELECT count(*) FROM job WHERE kind = ANY ($1) AND state <> 'dead_letter'"
            return await self.value(WAITING) == 0 == await self.value(queued, kinds)  # indexing may enqueue jobs

        async with working(resources or self.resources, handlers):
            await until(idle)

    async def value(self, sql: str, *values: object) -> object:
        [row] = await self.users.fetch(sql, *values)
        return row[0]

    async def count(self, table: str) -> object:
        return await self.value(f'SELECT count(*) FROM "{table}" WHERE project_id = $1', self.project)  # noqa: S608 - a constant of the test

    async def search(self, q: str, **params: str | int) -> Response:
        return await self.person.client.get(f"/api/v1/projects/{self.project}/search", params={"q": q, **params})

    async def titles(self, q: str, **params: str | int) -> list[str]:
        answer = await self.search(q, **params)
        assert answer.status_code == 200, answer.text
        return [item["title"] for item in answer.json()["items"]]


@dataclass(frozen=True, slots=True)
class Chosen:
    """An embedder catalogue for tests."""

    current: Embedder
    others: tuple[Embedder, ...] = ()

    async def named(self, name: str) -> Embedder | None:
        return next((each for each in (self.current, *self.others) if each.name == name), None)


def with_embedder(resources: Resources, current: Embedder, *others: Embedder) -> Resources:
    return replace(resources, embedders=Chosen(current, others))


async def titles(workspace: SearchWorkspace, resources: Resources, q: str, mode: str) -> tuple[str, list[str]]:
    """Searches the same application with other resources."""
    app = workspace.person.client._transport.app  # type: ignore[attr-defined]  # the application under test
    kept, app.state.resources = app.state.resources, resources
    try:
        headers = dict(workspace.person.client.headers)
        async with AsyncClient(transport=ASGITransport(app), base_url="http://test", headers=headers) as client:
            path = f"/api/v1/projects/{workspace.project}/search"
            answer = await client.get(path, params={"q": q, "mode": mode})
    finally:
        app.state.resources = kept
    if answer.status_code != 200:
        return answer.json()["code"], []
    return answer.headers["X-Search-Mode"], [item["title"] for item in answer.json()["items"]]
