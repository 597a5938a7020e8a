from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from partywall.commands.configuration import DataDir
from partywall.commands.engines import operator
from partywall.commands.refusal import Refusal
from partywall.commands.terminal import say
from partywall.core.jobs import attempts
from partywall.core.jobs.firing import SCHEDULED_RUN
from partywall.core.jobs.unknown import UnknownJobs, unknown_jobs
from partywall.core.jobs.waking import wake_workers
from partywall.features.work import WORK

app = typer.Typer(name="jobs", help="Jobs that wait for somebody: they failed too often, or nobody knows their kind.")


@app.command("list")
def list_jobs(data_dir: DataDir = Path(".data")) -> None:
    """List the parked jobs, oldest first, and what waits of kinds that this version does not know."""
    parked, unknown = asyncio.run(_waiting(data_dir))
    for job in parked:
        say(f"{job.job_id}  {job.parked_at:%Y-%m-%d %H:%M:%S}Z  {job.kind}  {job.error or ''}")
    for kind, jobs, since in unknown:
        say(f"{jobs} waiting  {since:%Y-%m-%d %H:%M:%S}Z  {kind}  no worker of this version knows this kind")
    if not parked:
        say("no job is parked", err=True)


@app.command()
def retry(
    job_ids: Annotated[list[int] | None, typer.Argument(help="The numbers that `jobs list` shows.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every parked job.")] = False,
    data_dir: DataDir = Path(".data"),
) -> int:
    """Put parked jobs back on the queue, with all their attempts."""
    if every == bool(job_ids):
        raise Refusal("name the jobs, or give --all")
    return asyncio.run(_retry(job_ids or [], data_dir))


async def _waiting(data_dir: Path) -> tuple[list[attempts.ParkedJob], list[UnknownJobs]]:
    async with operator(data_dir) as acting, acting.sessions.read() as session:
        silent = acting.settings.jobs.heartbeat_timeout
        return await attempts.parked(session), await unknown_jobs(session, _known_kinds(), silent)


def _known_kinds() -> list[str]:
    return [SCHEDULED_RUN.name, *(handler.kind.name for work in WORK for handler in work.jobs)]


async def _retry(job_ids: list[int], data_dir: Path) -> int:
    failed = 0
    async with operator(data_dir) as acting:
        if not job_ids:
            async with acting.sessions.read() as session:
                job_ids = [job.job_id for job in await attempts.parked(session)]
            if not job_ids:
                say("no job is parked", err=True)
        for job_id in job_ids:
            async with acting.sessions.begin() as session:
                put_back = await attempts.unpark(session, job_id)
            say(f"{job_id} is on the queue again" if put_back else f"{job_id} is not parked", err=not put_back)
            failed += not put_back
        if failed < len(job_ids) and not await wake_workers(acting.cache):
            say("the cache is away: workers notice within JOBS__POLL_INTERVAL", err=True)
    return 1 if failed else 0
