"""A tenant with many waiting jobs lets others' go first."""

from __future__ import annotations

from uuid import UUID

from partywall.core.jobs.context import JobContext
from partywall.core.jobs.kinds import JobKind, handles
from partywall.core.jobs.queue import enqueue
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal
from tests.core.jobs.test_runner import InProject, eventually, kind_of, queued, working
from tests.engines import DatabaseUrls
from tests.people import People

MANY = 30


async def fill(resources: Resources, kind: JobKind[InProject], project: UUID, count: int) -> None:
    payload = InProject(project_id=project, principal=str(Principal.service(project)))
    async with resources.sessions.begin() as session:
        for _ in range(count):
            await enqueue(session, kind, payload)


async def test_an_account_with_many_jobs_gives_way(
    people: People, resources: Resources, database: DatabaseUrls
) -> None:
    greedy, honest = await people.person(), await people.person()
    first, second, other = await greedy.project(), await greedy.project("Second"), await honest.project()
    kind, order = kind_of(InProject), list[UUID]()

    async def run(_: JobContext, payload: InProject) -> None:
        order.append(payload.project_id)

    await fill(resources, kind, first, MANY)
    await fill(resources, kind, second, MANY)
    await fill(resources, kind, other, 2)
    async with working(resources, database, handles(kind, run)):
        await eventually(lambda: _is_empty(resources, kind))
    assert len(order) == 2 * MANY + 2
    assert [place for place, project in enumerate(order) if project == other] == [1, 3]


async def _is_empty(resources: Resources, kind: JobKind[InProject]) -> bool:
    return await queued(resources, kind) == 0
