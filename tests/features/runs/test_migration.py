"""The migration enqueues a job for each stored run; downgrading removes it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
from alembic.config import Config
from alembic.script import ScriptDirectory

from partywall.core.db.migrate import migrate
from partywall.testing.engines import DatabaseUrls, Urls, new_database
from tests.architecture.layout import ROOT

PUT_RUN = """
    INSERT INTO run (project_id, agent, input, principal, status, turn, admitted, retry_at, request_id)
    VALUES ($1, 'assistant', '{}', 'user:x', $2, $3, $4, now() + $5, 'cause') RETURNING id
"""
PUT_JOB = """
    INSERT INTO job (kind, project_id, payload, state, lease, heartbeat_at)
    SELECT 'run_agent', project_id, jsonb_build_object('project_id', project_id, 'principal', principal, 'run_id', id),
        $2, gen_random_uuid(), now() FROM run WHERE id = $1 RETURNING id
"""
JOBS = "SELECT id, payload, priority, state FROM job WHERE kind = 'run_agent' AND dedupe_key = 'run_agent:' || $1::uuid"


def steps_back() -> str:
    config = Config()
    config.set_main_option("script_location", str(ROOT / "migrations"))
    newest_first = [Path(script.path).stem for script in ScriptDirectory.from_config(config).walk_revisions()]
    [place] = [place for place, name in enumerate(newest_first, 1) if name.endswith("runs_on_the_queue")]
    return f"-{place}"


async def test_every_run_that_is_not_over_has_one_job(engines: Urls) -> None:
    database = await new_database(engines, "runs")
    await migrate(database.owner, database.runtime, steps_back())
    connection = await asyncpg.connect(DatabaseUrls.dsn(database.superuser))
    try:
        project: UUID = await connection.fetchval("INSERT INTO project (name) VALUES ('p') RETURNING id")

        async def run(status: str, *, turn: int = 1, admitted: bool = False, retry: timedelta | None = None) -> UUID:
            made: UUID = await connection.fetchval(PUT_RUN, project, status, turn, admitted, retry)
            return made

        running, waits = await run("running", admitted=True), await run("queued")
        admitted, decided = await run("queued", admitted=True), await run("queued", turn=2)
        delayed, over = await run("queued", retry=timedelta(hours=1)), await run("cancelled", admitted=True)
        every = (running, waits, admitted, decided, delayed, over, await run("waiting"))
        at_work = await connection.fetchval(PUT_JOB, running, "running")
        for left_over in (running, admitted, delayed, over):
            await connection.execute(PUT_JOB, left_over, "waiting")
        await migrate(database.owner, database.runtime)
        found = {each: await connection.fetch(JOBS, each) for each in every}
        assert [[(row["state"], row["priority"]) for row in rows] for rows in found.values()] == [
            [("running", 0)], [("waiting", 0)], [("waiting", 0)], [("waiting", 1)], [("delayed", 0)], [], [],
        ]  # fmt: skip
        assert found[running][0]["id"] == at_work
        assert json.loads(found[waits][0]["payload"]) == {
            "project_id": str(project), "principal": "user:x", "run_id": str(waits), "request_id": "cause",
        }  # fmt: skip
        assert await connection.fetchval("SELECT count(*) FROM job") == 5
        await migrate(database.owner, database.runtime, steps_back())
        assert await connection.fetchval("SELECT count(*) FROM job") == 0
        assert await connection.fetchval("SELECT count(*) FROM run WHERE status = 'queued' AND NOT admitted") == 5
    finally:
        await connection.close()
