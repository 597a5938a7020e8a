"""The order of events under concurrent writers; `make bench-events` does the same with 200,000."""

from __future__ import annotations

from bench.event_order import Faults, stress, table_of
from partywall.core.resources import Resources
from partywall.testing.engines import DatabaseUrls, Superuser
from partywall.testing.users import Users


async def test_every_reader_sees_every_event_once_and_no_effect_before_its_cause(
    users: Users, resources: Resources, database: DatabaseUrls, kept: Superuser
) -> None:
    owner = await users.person()
    projects = [await owner.project() for _ in range(4)]
    stories, followers = await stress(resources, database.runtime, projects, writers=32, events=800, seed=7)
    faults = Faults()
    for story in stories:
        async with kept.acquire() as connection:
            table = await table_of(connection, story.project)
        faults.judge(story, table, [each for each in followers if each.project == story.project])
    assert faults.count == 0, faults
    assert sum(len(story.committed) for story in stories) > 100
    assert sum(each.streams for each in followers) > len(followers)
