"""Runs a worker's loops inside a test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from partywall.core.jobs.kinds import JobHandler
from partywall.core.jobs.runner import JobRunner
from partywall.core.resources import Resources
from partywall.features.search.feature import feature as search
from partywall.features.search.indexer import index_documents
from partywall.testing.conditions import until
from partywall.testing.users import Users

SEARCH_KINDS: Final = tuple(handler.kind.name for handler in search.jobs)
# Documents due for the worker, without those that wait for an unavailable model.
WAITING: Final = """
    SELECT count(*) FROM document JOIN project ON project.id = document.project_id
    WHERE index_status = 'pending' AND index_error IS NULL
        AND document.deleted_at IS NULL AND project.deleted_at IS NULL
"""
_DUE: Final = """
    SELECT count(*) FILTER (WHERE state IN ('waiting', 'running') OR due_at <= now())
            + (SELECT count(*) FROM job_request) AS due,
        array_agg(error) FILTER (WHERE error IS NOT NULL) AS errors
    FROM job WHERE kind = ANY ($1)
"""


@asynccontextmanager
async def working(resources: Resources, handlers: Sequence[JobHandler] = search.jobs) -> AsyncIterator[None]:
    """Indexes documents and runs the handlers' jobs meanwhile."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(index_documents(resources, stop))
        group.create_task(JobRunner(resources, handlers).run(stop))
        try:
            yield
        finally:
            stop.set()


class JobFailedError(Exception):
    """A job that `run_due_jobs` has run failed; the message is the error that is stored with it."""


async def run_due_jobs(resources: Resources, users: Users, handlers: Sequence[JobHandler]) -> None:
    """Runs jobs of these handlers until none is due or one has failed: then it raises JobFailedError."""
    kinds, errors = [handler.kind.name for handler in handlers], list[str]()

    async def done() -> bool:
        [row] = await users.fetch(_DUE, kinds)
        errors.extend(row["errors"] or ())
        return bool(errors) or not row["due"]

    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(JobRunner(resources, handlers).run(stop))
        try:
            await until(done)
        finally:
            stop.set()
    if errors:
        raise JobFailedError(errors[0])
