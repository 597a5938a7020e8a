from __future__ import annotations

from datetime import timedelta

from partywall.core.db.scoped_read import ScopedReader
from partywall.core.events.batches import read_batch
from partywall.core.events.retention import prune
from partywall.core.resources import Resources
from tests.features.live.news import write
from tests.people import People


async def test_old_events_go_from_the_oldest_on_and_only_they(people: People, resources: Resources) -> None:
    owner = await people.person()
    aged, fresh = await owner.project(), await owner.project()
    for project in (aged, fresh):
        await write(resources, owner, project, *"abcdefgh")
    await people.execute("UPDATE event SET at = now() - interval '3 days' WHERE project_id = $1 AND id <= 6", aged)
    removed = await prune(resources.sessions, timedelta(days=2), chunk=4)
    assert removed == 6
    reader = ScopedReader(resources.reads, owner.principal)
    batch = await read_batch(reader, aged, after=0)
    assert ([event.id for event in batch.events], batch.oldest, batch.last) == ([7, 8, 9], 7, 9)
    batch = await read_batch(reader, fresh, after=0)
    assert ([event.id for event in batch.events], batch.oldest, batch.last) == (list(range(1, 10)), 1, 9)
    assert await prune(resources.sessions, timedelta(days=2)) == 0


async def test_a_clock_that_stood_back_leaves_no_gap(people: People, resources: Resources) -> None:
    owner = await people.person()
    project = await owner.project()
    await write(resources, owner, project, *"abcd")
    await people.execute(
        "UPDATE event SET at = now() - interval '9 days' WHERE project_id = $1 AND id IN (1, 3)", project
    )
    assert await prune(resources.sessions, timedelta(days=8)) == 3
    batch = await read_batch(ScopedReader(resources.reads, owner.principal), project, after=0)
    assert ([event.id for event in batch.events], batch.oldest) == ([4, 5], 4)


async def test_numbers_go_on_after_everything_is_gone(people: People, resources: Resources) -> None:
    owner = await people.person()
    project = await owner.project()
    await people.execute("UPDATE event SET at = now() - interval '9 days' WHERE project_id = $1", project)
    assert await prune(resources.sessions, timedelta(days=8)) == 1
    await write(resources, owner, project, "next")
    batch = await read_batch(ScopedReader(resources.reads, owner.principal), project, after=0)
    assert ([event.id for event in batch.events], batch.oldest, batch.last) == ([2], 2, 2)
