from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from partywall.commands.configuration import DataDir
from partywall.commands.engines import operator
from partywall.commands.terminal import print_line
from partywall.commands.usage_error import UsageError
from partywall.core.job_waker import wake_workers
from partywall.core.jobs import dead_letter
from partywall.core.jobs.scheduler import SCHEDULED_RUN
from partywall.core.jobs.unknown import UnknownJobs, unknown_jobs
from partywall.extensions.enabled import enabled_features
from partywall.settings import Settings

app = typer.Typer(name="jobs", help="Dead letters, and waiting jobs of a kind that no worker knows.")


@app.command("list")
def list_jobs(data_dir: DataDir = Path(".data")) -> None:
    """List the dead letters, oldest first, and waiting jobs of kinds that no worker knows."""
    dead_letters, unknown = asyncio.run(_waiting(data_dir))
    for job in dead_letters:
        print_line(f"{job.job_id}  {job.dead_letter_at:%Y-%m-%d %H:%M:%S}Z  {job.kind}  {job.error or ''}")
    for kind, jobs, since in unknown:
        print_line(f"{jobs} waiting  {since:%Y-%m-%d %H:%M:%S}Z  {kind}  no worker of this version knows this kind")
    if not dead_letters:
        print_line("no dead letters", err=True)


@app.command()
def retry(
    job_ids: Annotated[
        list[int] | None, typer.Argument(help="The numbers that `jobs list` shows.", max=2**63 - 1)
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Retry all dead letters.")] = False,
    data_dir: DataDir = Path(".data"),
) -> int:
    """Put dead letters back on the queue, with all their attempts again."""
    if every == bool(job_ids):
        raise UsageError("give job numbers or --all")
    return asyncio.run(_retry(job_ids or [], data_dir))


async def _waiting(data_dir: Path) -> tuple[list[dead_letter.DeadLetter], list[UnknownJobs]]:
    async with operator(data_dir) as acting, acting.sessions.read() as session:
        silent = acting.settings.jobs.heartbeat_timeout
        return await dead_letter.list_dead_letters(session), await unknown_jobs(
            session, _known_kinds(acting.settings), silent
        )


def _known_kinds(settings: Settings) -> list[str]:
    features = enabled_features(settings.features.enabled)
    return [SCHEDULED_RUN.name, *(handler.kind.name for feature in features for handler in feature.jobs)]


async def _retry(job_ids: list[int], data_dir: Path) -> int:
    failed = 0
    async with operator(data_dir) as acting:
        if not job_ids:
            async with acting.sessions.read() as session:
                job_ids = [job.job_id for job in await dead_letter.list_dead_letters(session)]
            if not job_ids:
                print_line("no dead letters", err=True)
        for job_id in job_ids:
            async with acting.sessions.begin() as session:
                requeue = await dead_letter.retry_dead_letter(session, job_id)
            print_line(
                f"{job_id} is back on the queue" if requeue else f"{job_id} is not a dead letter", err=not requeue
            )
            failed += not requeue
        if failed < len(job_ids) and not await wake_workers(acting.cache):
            print_line("the cache is unreachable: workers notice within JOBS__POLL_INTERVAL", err=True)
    return 1 if failed else 0
