"""One read is bounded, whatever the caller asks for."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.events import batches
from partywall.core.events.batches import EventBatch, read_batch
from partywall.core.events.filters import TypeFilter
from partywall.core.resources import Resources
from partywall.testing.users import Person, Users
from tests.features.live.event_writer import write


async def project_with(users: Users, resources: Resources, *sizes: int) -> tuple[Person, UUID]:
    """Event 1 is the project's creation; then one event of each size."""
    owner = await users.person()
    project = await owner.project()
    for number, size in enumerate(sizes, 2):
        await write(resources, owner, project, str(number), size=size)
    return owner, project


async def all_reads(
    resources: Resources, owner: Person, project: UUID, types: TypeFilter | None
) -> Sequence[EventBatch]:
    """From the beginning to the newest."""
    reader = ScopedReader(resources.reads, owner.principal)
    found = [await read_batch(reader, project, after=0, types=types)]
    while found[-1].upto < found[-1].last:
        found.append(await read_batch(reader, project, after=found[-1].upto, types=types))
    return found


async def test_a_read_hands_out_so_many_bytes_and_at_least_one_event(
    users: Users, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "BATCH_BYTES", 2000)
    owner, project = await project_with(users, resources, 10, 10, 5000, 10, 900, 900, 10)
    reads = await all_reads(resources, owner, project, None)
    assert [[event.id for event in read.events] for read in reads] == [[1, 2, 3, 4], [5, 6, 7], [8]]
    assert [read.upto for read in reads] == [4, 7, 8]


async def test_a_read_looks_through_so_many_numbers(
    users: Users, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A filter that matches little costs no more than one that matches everything."""
    monkeypatch.setattr(batches, "SPAN", 4)
    owner, project = await project_with(users, resources, *[0] * 9)
    reads = await all_reads(resources, owner, project, TypeFilter.parse("project.*"))
    assert [[event.id for event in read.events] for read in reads] == [[1], [], []]
    assert [read.upto for read in reads] == [4, 8, 10]


async def test_removed_events_are_not_scanned(
    users: Users, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batches, "SPAN", 4)
    owner, project = await project_with(users, resources, *[0] * 9)
    await users.execute("DELETE FROM event WHERE project_id = $1 AND id < 8", project)
    await users.execute("UPDATE event_counter SET oldest = 8 WHERE project_id = $1", project)
    [read] = await all_reads(resources, owner, project, None)
    assert ([event.id for event in read.events], read.upto, read.oldest) == ([8, 9, 10], 10, 8)
