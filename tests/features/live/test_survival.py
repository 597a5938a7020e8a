"""A small `make bench-streams`: many readers, broken connections, restarts, and each event exactly once."""

from __future__ import annotations

import asyncio
import random
from uuid import UUID

import pytest

from bench.readers import Ledger, Reader
from partywall.core.resources import Resources
from partywall.settings import Settings
from partywall.testing.conditions import until
from partywall.testing.users import Person, Users
from tests.features.live.event_writer import write
from tests.features.live.server import serve
from tests.server import free_port

PROJECTS, READERS, EVENTS, RESTARTS = 4, 5, 60, 3


@pytest.mark.parametrize(
    ("numbers", "lost", "repeated"), [((1, 2, 3), 0, 0), ((1, 3), 1, 0), ((1, 1, 2), 0, 1), ((2, 1, 3), 2, 1)]
)
def test_a_ledger_finds_what_is_wrong(numbers: tuple[int, ...], lost: int, repeated: int) -> None:
    ledger = Ledger()
    for number in numbers:
        ledger.enter("document.updated", number, "a")
    assert (ledger.lost, ledger.repeated) == (lost, repeated)


def test_ledgers_of_the_same_numbers_differ_in_what_they_are_about() -> None:
    digests = set()
    for subject in "ab":
        ledger = Ledger()
        ledger.enter("document.updated", 1, subject)
        digests.add(ledger.digest)
    assert len(digests) == 2


async def test_every_reader_gets_everything_once_through_drops_and_restarts(
    users: Users, live_settings: Settings, resources: Resources
) -> None:
    owner = await users.person()
    projects = [await owner.project() for _ in range(PROJECTS)]
    port = free_port()
    readers = [Reader(port, str(project), owner.token) for project in projects for _ in range(READERS)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each.run()) for each in readers]
        tasks.append(group.create_task(_drop(readers)))
        group.create_task(_write(resources, owner, projects))
        for _ in range(RESTARTS):
            async with serve(live_settings, port):
                await _connected_anew(readers)
        async with serve(live_settings, port):
            await until(lambda: all(each.ledger.last == EVENTS + 1 for each in readers), 180)
            for task in tasks:
                task.cancel()
    expected = {str(project): await _table(users, project) for project in projects}
    for each in readers:
        assert (each.ledger.lost, each.ledger.repeated) == (0, 0)
        assert each.ledger.digest == expected[each.project].digest
        assert each.ledger.other.keys() <= {"reconnect"}
        assert each.connections > 1


async def _connected_anew(readers: list[Reader]) -> None:
    before = [each.connections for each in readers]
    await until(lambda: all(each.connections > was for each, was in zip(readers, before, strict=True)))


async def _drop(readers: list[Reader]) -> None:
    while True:
        await asyncio.sleep(0.02)
        random.choice(readers).drop()


async def _write(resources: Resources, owner: Person, projects: list[UUID]) -> None:
    for number in range(EVENTS // 2):
        for project in projects:
            await write(resources, owner, project, f"{number} a", f"{number} b")
        await asyncio.sleep(0.05)


async def _table(users: Users, project: UUID) -> Ledger:
    ledger = Ledger()
    for row in await users.fetch("SELECT id, type, subject_id FROM event WHERE project_id = $1 ORDER BY id", project):
        ledger.enter(row["type"], row["id"], row["subject_id"])
    return ledger
