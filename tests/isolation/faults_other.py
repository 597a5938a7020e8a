"""Planted faults that the attack on routes cannot reach; the `test_beyond_routes_*` tests must find them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy import ColumnElement, Select, func, literal_column, null, select

from partywall.core.cache_keys import CacheKey
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scoped_query import ScopedQuery
from partywall.core.db.session import AsyncReadSession
from partywall.core.events import log_tailer, notifier, subscription
from partywall.core.events.batches import BATCH, Caller, EventBatch, read_batch
from partywall.core.events.filters import TypeFilter
from partywall.core.jobs.context import JobContext
from partywall.core.jobs.payloads import ProjectJobPayload
from partywall.core.tenancy import ProjectScope
from partywall.features.search import service as search
from partywall.features.search.models import SearchStatistic
from tests.isolation.faults import AttackedApp, patched


@asynccontextmanager
async def a_channel_without_its_project(at: AttackedApp) -> AsyncIterator[FastAPI]:
    """One channel for all projects, and so one tail."""

    def events_channel(_: ProjectScope) -> CacheKey:
        return CacheKey("proj:events")

    with patched((notifier, "events_channel", events_channel), (log_tailer, "events_channel", events_channel)):
        yield at.app


@asynccontextmanager
async def a_stream_that_forgets_its_session(at: AttackedApp) -> AsyncIterator[FastAPI]:
    """Checks the user's membership, but not whether the stream's session is still valid."""

    async def forgetful(
        reader: ScopedReader,
        project_id: UUID,
        *,
        after: int,
        limit: int = BATCH,
        types: TypeFilter | None = None,
        subject: str | None = None,
        callers: Iterable[Caller] = (),
    ) -> EventBatch:
        asked = list(callers)
        persons = {Caller(each.principal, None) for each in asked}
        batch = await read_batch(
            reader, project_id, after=after, limit=limit, types=types, subject=subject, callers=persons
        )
        return replace(batch, roles={each: batch.roles[Caller(each.principal, None)] for each in asked})

    with patched((subscription, "read_batch", forgetful), (log_tailer, "read_batch", forgetful)):
        yield at.app


def _everybodys(allowed: ColumnElement[bool]) -> Select[*tuple[object, ...]]:
    """What `search.repository.CORPUS` selects, but for all projects."""
    return select(
        func.sum(SearchStatistic.chunks).label("chunks"), func.sum(SearchStatistic.terms).label("terms"),
        literal_column("ARRAY['english']").label("configurations"), null().label("id"), null().label("model"),
        null().label("dimension"), null().label("approximate"), literal_column("false").label("staged"),
        literal_column("false").label("purging"), literal_column("null").label("language"),
    ).where(allowed)  # fmt: skip


@asynccontextmanager
async def search_statistics_over_all_projects(at: AttackedApp) -> AsyncIterator[FastAPI]:
    async with at.without_policies("search_statistic"):
        with patched((search, "CORPUS", ScopedQuery.read(_everybodys))):
            yield at.app


@asynccontextmanager
async def a_job_that_trusts_its_payload(at: AttackedApp) -> AsyncIterator[FastAPI]:
    """Opens a scope as the worker of any project in the payload, whoever the principal is."""

    def trusting(open_: str) -> Callable[..., AbstractAsyncContextManager[tuple[AsyncReadSession, ProjectScope]]]:
        begun = getattr(JobContext, open_)

        @asynccontextmanager
        async def run(
            context: JobContext, payload: ProjectJobPayload
        ) -> AsyncIterator[tuple[AsyncReadSession, ProjectScope]]:
            told = payload.model_copy(update={"principal": f"service:{payload.project_id}"})
            async with begun(context, told) as (session, scope):
                yield session, scope

        return run

    with patched((JobContext, "begin", trusting("begin")), (JobContext, "read", trusting("read"))):
        yield at.app
