"""Reports jobs of kinds that no worker here knows, and no others."""

from __future__ import annotations

from datetime import timedelta

import structlog

from partywall.core.jobs.kinds import JobKind
from partywall.core.jobs.queue import enqueue
from partywall.core.jobs.unknown import UnknownKinds, unknown_jobs
from partywall.core.resources import Resources
from partywall.testing.conditions import until
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Users
from tests.core.jobs.jobs import Note, working

SILENT = timedelta(seconds=20)
LOST = """
    UPDATE job SET state = 'running', lease = gen_random_uuid(), heartbeat_at = now() - interval '21 seconds'
    WHERE id = (SELECT max(id) FROM job WHERE kind = $1)
"""


async def put(resources: Resources, kind: str, count: int) -> None:
    async with resources.sessions.begin() as session:
        for _ in range(count):
            await enqueue(session, JobKind(kind, Note), Note(text="x"))


async def test_an_unknown_kind_is_logged_once(resources: Resources, users: Users, empty_queue: None) -> None:
    """Includes jobs whose worker was lost; delayed jobs and jobs that run elsewhere are left out."""
    await put(resources, "known", 2)
    await put(resources, "removed", 3)
    await users.execute(LOST, "removed")
    async with resources.sessions.read() as session:
        [found] = await unknown_jobs(session, ["known", "another"], SILENT)
    assert (found.kind, found.jobs) == ("removed", 3)
    kinds = UnknownKinds(resources.sessions, ["known"], SILENT)
    with structlog.testing.capture_logs() as logs:
        await kinds.look()
        await put(resources, "removed", 1)
        await kinds.look()
    [logged] = [log for log in logs if log["event"] == "job_kind_unknown"]
    assert (logged["log_level"], logged["kind"], logged["jobs"]) == ("warning", "removed", 3)


async def test_a_worker_looks_for_unknown_kinds(
    resources: Resources, database: DatabaseUrls, empty_queue: None
) -> None:
    await put(resources, "removed", 1)
    with structlog.testing.capture_logs() as logs:
        async with working(resources, database):

            async def logged() -> bool:
                return [log["kind"] for log in logs if log["event"] == "job_kind_unknown"] == ["removed"]

            await until(logged)
