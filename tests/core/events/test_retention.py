from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.events.batches import read_batch
from partywall.core.events.retention import prune, trim
from partywall.core.resources import Resources
from partywall.testing.users import Users
from tests.features.live.event_writer import write

MEGABYTE = 1024 * 1024
COUNTED = """
SELECT c.bytes AS counted, sum(wall.event_bytes(e.subject_id, e.data)) AS there
FROM event_counter AS c LEFT JOIN event AS e ON e.project_id = c.project_id WHERE c.project_id = $1 GROUP BY c.bytes
"""


async def counted(users: Users, project: UUID) -> int:
    """The total bytes of the stored events."""
    [row] = await users.fetch(COUNTED, project)
    assert row["counted"] == (row["there"] or 0)
    return int(row["counted"])


async def test_only_old_events_are_removed_oldest_first(users: Users, resources: Resources) -> None:
    owner = await users.person()
    aged, fresh = await owner.project(), await owner.project()
    for project in (aged, fresh):
        await write(resources, owner, project, *"abcdefgh")
    await users.execute("UPDATE event SET at = now() - interval '3 days' WHERE project_id = $1 AND id <= 6", aged)
    removed = await prune(resources.sessions, timedelta(days=2), chunk=4)
    assert removed == 6
    reader = ScopedReader(resources.reads, owner.principal)
    batch = await read_batch(reader, aged, after=0)
    assert ([event.id for event in batch.events], batch.oldest, batch.last) == ([7, 8, 9], 7, 9)
    batch = await read_batch(reader, fresh, after=0)
    assert ([event.id for event in batch.events], batch.oldest, batch.last) == (list(range(1, 10)), 1, 9)
    assert await prune(resources.sessions, timedelta(days=2)) == 0


async def test_a_clock_that_stood_back_leaves_no_gap(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    await write(resources, owner, project, *"abcd")
    await users.execute(
        "UPDATE event SET at = now() - interval '9 days' WHERE project_id = $1 AND id IN (1, 3)", project
    )
    assert await prune(resources.sessions, timedelta(days=8)) == 3
    batch = await read_batch(ScopedReader(resources.reads, owner.principal), project, after=0)
    assert ([event.id for event in batch.events], batch.oldest) == ([4, 5], 4)


async def test_numbers_go_on_after_everything_is_gone(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    await users.execute("UPDATE event SET at = now() - interval '9 days' WHERE project_id = $1", project)
    assert await prune(resources.sessions, timedelta(days=8)) == 1
    await write(resources, owner, project, "next")
    batch = await read_batch(ScopedReader(resources.reads, owner.principal), project, after=0)
    assert ([event.id for event in batch.events], batch.oldest, batch.last) == ([2], 2, 2)


async def test_a_project_with_too_many_events_loses_its_oldest(users: Users, resources: Resources) -> None:
    owner = await users.person()
    full, other = await owner.project(), await owner.project()
    await trim(resources.sessions, events=2_998, size=10**12)  # what other tests left
    await write(resources, owner, full, *map(str, range(3_000)))
    await write(resources, owner, other, *"abcd")
    assert await trim(resources.sessions, events=2_998, size=10**12, chunk=2) == 3
    reader = ScopedReader(resources.reads, owner.principal)
    batch = await read_batch(reader, full, after=2_998)
    assert ([event.id for event in batch.events], batch.oldest, batch.last) == ([2_999, 3_000, 3_001], 4, 3_001)
    assert (await read_batch(reader, other, after=0)).oldest == 1
    assert await trim(resources.sessions, events=2_998, size=10**12) == 0


async def test_large_events_are_bounded_by_their_bytes(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    await trim(resources.sessions, events=10**12, size=4 * MEGABYTE)  # what other tests left
    await write(resources, owner, project, *"abcdef", size=MEGABYTE)
    before = await counted(users, project)
    assert before > 6 * MEGABYTE
    assert await trim(resources.sessions, events=10**12, size=before - 2 * MEGABYTE) == 3, "the first is small"
    assert await counted(users, project) < before - 2 * MEGABYTE
    batch = await read_batch(ScopedReader(resources.reads, owner.principal), project, after=6)
    assert ([event.id for event in batch.events], batch.oldest) == ([7], 4)
    await users.execute("UPDATE event SET at = now() - interval '9 days' WHERE project_id = $1 AND id < 7", project)
    assert await prune(resources.sessions, timedelta(days=8)) == 3
    assert MEGABYTE < await counted(users, project) < 2 * MEGABYTE
