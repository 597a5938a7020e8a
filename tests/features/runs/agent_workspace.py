from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

from httpx2 import Response

from partywall.core.jobs.runner import JobRunner
from partywall.core.resources import Resources
from partywall.features.runs.feature import feature
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Person, Users
from tests.features.runs.model_server import ModelServer

type Json = dict[str, object]

OVER = ("succeeded", "failed", "cancelled")


def patient_for_models(resources: Resources, **changed: object) -> Resources:
    """Resources with the default `retry_for` and one concurrent run per project."""
    values = {"retry_for": timedelta(minutes=15), "concurrency_per_project": 1, **changed}
    settings = resources.settings
    agents = settings.agents.model_copy(update=values)
    return replace(resources, settings=settings.model_copy(update={"agents": agents}))


def impatient_for_models(resources: Resources) -> Resources:
    return patient_for_models(resources, retry_for=timedelta(seconds=0.5))


@dataclass(frozen=True, slots=True)
class AgentWorkspace:
    """A project whose runs are processed inside `working()`."""

    users: Users
    owner: Person
    project: UUID
    resources: Resources
    database: DatabaseUrls
    model: ModelServer

    @property
    def url(self) -> str:
        return f"/api/v1/projects/{self.project}"

    async def post(self, question: str = "When?", **fields: object) -> Response:
        body = {"agent": "assistant", "input": {"question": question}, **fields}
        return await self.owner.client.post(f"{self.url}/runs", json=body)

    async def start(self, question: str = "When?", **fields: object) -> str:
        answer = await self.post(question, **fields)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    async def get(self, run: str) -> Json:
        answer = await self.owner.client.get(f"{self.url}/runs/{run}")
        assert answer.status_code == 200, answer.text
        found: Json = answer.json()
        return found

    async def until(self, run: str, *statuses: str, seconds: float = 180.0) -> Json:
        """The run once it has one of the statuses; by default once it is over. Polls the table, not the route."""
        query = "SELECT FROM run WHERE project_id = $1 AND id = $2 AND status = ANY ($3)"
        async with asyncio.timeout(seconds):
            while not await self.users.fetch(query, self.project, UUID(run), list(statuses or OVER)):
                await asyncio.sleep(0.02)
        return await self.get(run)

    async def until_of(self, project: UUID, run: str) -> Json:
        """Like `until`, in another project of the owner."""
        return await replace(self, project=project).until(run)

    async def run(self, question: str = "When?", *, impatient: bool = False, **fields: object) -> Json:
        """Starts a run and waits until it is over; `impatient` is for a model that never answers."""
        run = await self.start(question, **fields)
        async with self.working(impatient_for_models(self.resources) if impatient else None):
            return await self.until(run)

    @asynccontextmanager
    async def working(self, resources: Resources | None = None) -> AsyncIterator[None]:
        """A worker that processes only runs."""
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            runner = JobRunner(resources or self.resources, feature.jobs)
            group.create_task(runner.run(stop))
            try:
                yield
            finally:
                stop.set()

    async def pending_id(self, run: str) -> str:
        """The id of the pending approval."""
        pending = (await self.get(run))["pending"]
        assert isinstance(pending, list)
        [shown] = {call["pending_id"] for call in pending}
        return str(shown)

    async def events(self, run: str) -> list[tuple[str, Json]]:
        """The run's events in the log, as (type without `run.`, data)."""
        rows = await self.users.fetch(
            "SELECT type, data FROM event WHERE project_id = $1 AND subject_id = $2 ORDER BY id", self.project, run
        )
        return [(row["type"].removeprefix("run."), json.loads(row["data"])) for row in rows]

    async def kinds(self, run: str) -> list[str]:
        """The types of the events, without tokens."""
        return [kind for kind, _ in await self.events(run) if kind != "token"]

    async def document(self, title: str = "A document", content: str = "Text.") -> str:
        answer = await self.owner.client.post(f"{self.url}/documents", json={"title": title, "content": content})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])


def code_of(run: Json) -> str:
    """The error code of a failed run."""
    error = run["error"]
    assert isinstance(error, dict), run
    return str(error["code"])


def used_by(run: Json) -> Json:
    usage = run["usage"]
    assert isinstance(usage, dict)
    return usage
