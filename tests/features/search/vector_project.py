"""A project whose vectors are on a vector server."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from uuid import UUID

from partywall.adapters.vectors.qdrant import Qdrant
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal, ProjectScope, make_scope
from partywall.core.vector_server import VectorSpace
from partywall.features.search.promotion import move_vectors
from partywall.features.search.vector_check import Difference, VectorCheck
from partywall.features.search.vector_sender import send_vectors
from partywall.testing.conditions import until
from tests.adapters.vectors.qdrant_server import QdrantServer
from tests.features.search.search_workspace import SearchWorkspace, titles

UNSENT = "SELECT count(*) FROM vector_change WHERE project_id = $1 AND NOT deleted_once"


@dataclass(frozen=True, slots=True)
class VectorProject:
    """A project on a vector server."""

    workspace: SearchWorkspace
    resources: Resources
    server: QdrantServer
    engine: Qdrant

    @property
    def project(self) -> UUID:
        return self.workspace.project

    @property
    def scope(self) -> ProjectScope:
        return make_scope(self.project, Principal.service(self.project), "service")

    @property
    def space(self) -> VectorSpace:
        model = self.resources.embedders.current
        return VectorSpace(model.name, model.dimension)

    async def put(self, *texts: str, status: str = "draft") -> list[UUID]:
        """Indexes documents with these titles, and the same words as their content; sends nothing."""
        made = [await self.workspace.put(text, text, status=status) for text in texts]
        await self.workspace.index(*made, resources=self.resources)
        return made

    async def send(self) -> None:
        """Until nothing waits, except the repetition of deletions."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(send_vectors(self.resources, stop))
            await until(self.all_sent)
            stop.set()

    async def all_sent(self) -> bool:
        return await self.workspace.value(UNSENT, self.project) == 0

    async def found(self, q: str, mode: str = "vector") -> tuple[str, list[str]]:
        return await titles(self.workspace, self.resources, q, mode)

    async def there(self) -> list[int]:
        return [number async for some in self.engine.numbers(self.scope, self.space) for number in some]

    async def chunks(self) -> list[int]:
        rows = await self.workspace.users.fetch("SELECT number FROM chunk WHERE project_id = $1", self.project)
        return sorted(row["number"] for row in rows)

    async def delete(self, document: UUID) -> None:
        await self.workspace.users.execute("DELETE FROM document WHERE id = $1", document)

    async def check(self) -> Difference:
        [found] = await VectorCheck(self.resources.sessions, self.engine, self.project).differences()
        return found

    async def moved(self, *, to: bool) -> None:
        """Changes the engine, as a restart does."""
        resources = self.resources if to else replace(self.resources, vector_server=None)
        await move_vectors(resources)
        await self.workspace.work(resources)
