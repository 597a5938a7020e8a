"""Each tick of a schedule becomes one job, also with several workers, or with none at that time."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import structlog

from partywall.core.clock import utc_now
from partywall.core.jobs.scheduler import SCHEDULED_RUN, last_tick, next_tick
from partywall.core.jobs.schedules import Schedule
from partywall.core.resources import Resources
from partywall.testing.conditions import until
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Users
from tests.core.jobs.jobs import working

AT = datetime(2026, 11, 29, 17, 30, tzinfo=UTC)
SEEN = "INSERT INTO job_schedule (name, last_tick_at) VALUES ($1, $2)"
ON_QUEUE = "SELECT payload ->> 'name' FROM job WHERE kind = $1"


async def nothing(_: Resources) -> None: ...


def test_ticks_are_in_utc_and_a_sixth_field_counts_seconds() -> None:
    for cron, before, after in (
        ("*/10 * * * *", AT - timedelta(minutes=10), AT + timedelta(minutes=10)),
        ("37 3 * * *", datetime(2026, 11, 29, 3, 37, tzinfo=UTC), datetime(2026, 11, 30, 3, 37, tzinfo=UTC)),
        ("* * * * * */20", AT - timedelta(seconds=20), AT + timedelta(seconds=20)),
    ):
        schedule = Schedule("name", cron, nothing)
        assert (last_tick(schedule, AT), next_tick(schedule, AT)) == (before, after)


async def test_missed_ticks_are_made_up_once(resources: Resources, database: DatabaseUrls, users: Users) -> None:
    """A new schedule begins with its next tick."""
    ran: list[str] = []
    known, new = f"known_{uuid4().hex}", f"new_{uuid4().hex}"

    def named(name: str) -> Schedule:
        async def run(_: Resources) -> None:
            ran.append(name)

        return Schedule(name, "0 0 1 1 *", run)

    await users.execute(SEEN, known, utc_now() - timedelta(days=500))
    schedules = (named(known), named(new))
    for _ in range(2):
        async with working(resources, database, schedules=schedules), working(resources, database, schedules=schedules):
            await until(lambda: _are_known(users, known, new))
            await until(lambda: _is_done(users))
    assert ran == [known]


async def _are_known(users: Users, *names: str) -> bool:
    query = "SELECT FROM job_schedule WHERE name = ANY ($1) AND last_tick_at > now() - interval '400 days'"
    return len(await users.fetch(query, list(names))) == len(names)


async def _is_done(users: Users) -> bool:
    return await users.fetch(ON_QUEUE, SCHEDULED_RUN.name) == []


async def test_failing_and_hanging_schedules_do_not_delay_others(
    resources: Resources, database: DatabaseUrls, users: Users
) -> None:
    hanging, ran = asyncio.Event(), asyncio.Event()

    async def hang(_: Resources) -> None:
        await hanging.wait()

    async def fail(_: Resources) -> None:
        raise ValueError("never")

    async def run(_: Resources) -> None:
        ran.set()

    names = [f"test_{uuid4().hex}" for _ in range(3)]
    for name in names:
        await users.execute(SEEN, name, utc_now() - timedelta(days=500))
    schedules = tuple(Schedule(name, "0 0 1 1 *", do) for name, do in zip(names, (hang, fail, run), strict=True))
    with structlog.testing.capture_logs() as logs:
        async with working(resources, database, schedules=schedules), asyncio.timeout(60):
            await ran.wait()
            await until(lambda: _only(users, names[0]))
            hanging.set()
    assert [log["schedule"] for log in logs if log["event"] == "schedule_failed"] == [names[1]]


async def _only(users: Users, name: str) -> bool:
    return [row[0] for row in await users.fetch(ON_QUEUE, SCHEDULED_RUN.name)] == [name]
