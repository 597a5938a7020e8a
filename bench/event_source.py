"""Publishes events for the stream benchmark, through the API or directly with the product's event log."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import asyncpg
import httpx2

from bench.deployment import Deployment
from bench.seed import PASSWORD
from partywall.core.caches import create_cache
from partywall.core.db import engine as engines
from partywall.core.db.scopes import open_shared_scope
from partywall.core.db.session import Sessions
from partywall.core.events import log
from partywall.core.events.log import EventDraft
from partywall.core.events.notifier import EventNotifier
from partywall.core.events.sequencer import EventSequencer
from partywall.core.tenancy import Principal

WRITERS = 6
SIZES = (1, 1, 1, 2, 9)
STATEMENT_MS = 30_000


@dataclass(frozen=True, slots=True)
class SharedProjects:
    """Projects with the same members; the first member is the owner."""

    owner: UUID
    tokens: Sequence[str]
    projects: Sequence[str]


async def create_projects(port: int, deployment: Deployment, *, users: int, projects: int) -> SharedProjects:
    """Creates accounts and projects through the API, and memberships with SQL instead of invitations."""
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=60) as client:
        accounts = [await _enrol(client, number) for number in range(users)]
        client.headers["Authorization"] = f"Bearer {accounts[0][1]}"
        made = [await _project(client, number) for number in range(projects)]
    connection = await asyncpg.connect(deployment.superuser_url.replace("+asyncpg", "", 1))
    try:
        await connection.executemany(
            "INSERT INTO project_member (project_id, account_id, role) VALUES ($1, $2, 'viewer')",
            [(UUID(project), account) for project in made for account, _ in accounts[1:]],
        )
    finally:
        await connection.close()
    return SharedProjects(accounts[0][0], [token for _, token in accounts], made)


async def _enrol(client: httpx2.AsyncClient, number: int) -> tuple[UUID, str]:
    email = f"reader{number}@example.com"
    answer = await client.post("/auth/register", json={"email": email, "password": PASSWORD})
    assert answer.status_code == 202, answer.text
    form = {"grant_type": "password", "username": email, "password": PASSWORD}
    token: str = (await client.post("/auth/token", data=form)).raise_for_status().json()["access_token"]
    me = await client.get("/users/me", headers={"Authorization": f"Bearer {token}"})
    return UUID(me.raise_for_status().json()["id"]), token


async def _project(client: httpx2.AsyncClient, number: int) -> str:
    answer = await client.post("/projects", json={"name": f"Project {number}"})
    assert answer.status_code == 201, answer.text
    found: str = answer.json()["id"]
    return found


async def publish(port: int, shared: SharedProjects, *, rate: float, seconds: float, sent: dict[str, float]) -> None:
    """Creates documents at an even rate, in each project in turn; `sent` gets the time of each request by title."""
    headers = {"Authorization": f"Bearer {shared.tokens[0]}"}
    limits = httpx2.Limits(max_connections=32)
    started = time.perf_counter()
    url = f"http://127.0.0.1:{port}/api/v1/projects"
    async with httpx2.AsyncClient(timeout=60, headers=headers, limits=limits) as client, asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            due = started + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            project = shared.projects[number % len(shared.projects)]
            group.create_task(_create(client, f"{url}/{project}/documents", f"News {number}", sent))


async def _create(client: httpx2.AsyncClient, url: str, title: str, sent: dict[str, float]) -> None:
    sent[title] = time.time()
    answer = await client.post(url, json={"title": title, "content": "Something that happened."})
    assert answer.status_code == 201, answer.text


@asynccontextmanager
async def opened_log(deployment: Deployment) -> AsyncIterator[Sessions]:
    """Runs the product's sequencer and notifier outside the API process."""
    options = engines.server_settings("partywall-bench", STATEMENT_MS)
    engine = engines.create_engine(
        deployment.environment["DATABASE__URL"], pool_size=WRITERS, overflow=0, settings=options
    )
    cache = create_cache(deployment.environment["CACHE__URL"])
    reads = await engines.create_read_pool(deployment.environment["DATABASE__URL"], size=1, settings=options)
    notifier = EventNotifier(cache)
    sequencer = EventSequencer(reads, notifier)
    running = [asyncio.create_task(run()) for run in (sequencer.run, notifier.run)]
    try:
        yield Sessions(engine, announce=sequencer.announce)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await sequencer.flush()
        reads.terminate()
        await cache.aclose()
        await engine.dispose()


async def write(deployment: Deployment, shared: SharedProjects, *, each: int, seconds: float) -> None:
    """`each` events per project over `seconds`, by concurrent writers in transactions of one to nine events."""
    chance = random.Random(4)
    left = dict.fromkeys(shared.projects, each)
    total, written, started = each * len(left), 0, time.perf_counter()

    def next_lot() -> tuple[str, int] | None:
        nonlocal written
        if not left:
            return None
        project = chance.choice(list(left))
        size = min(left[project], chance.choice(SIZES))
        left[project] -= size
        if not left[project]:
            del left[project]
        written += size
        return project, size

    async def writer(sessions: Sessions) -> None:
        while (lot := next_lot()) is not None:
            due = started + seconds * written / total
            await _append(sessions, shared, *lot)
            await asyncio.sleep(max(0.0, due - time.perf_counter()))

    async with opened_log(deployment) as sessions, asyncio.TaskGroup() as group:
        for _ in range(WRITERS):
            group.create_task(writer(sessions))


async def _append(sessions: Sessions, shared: SharedProjects, project: str, size: int) -> None:
    async with sessions.begin() as session:
        scope = await open_shared_scope(session, Principal.user(shared.owner), UUID(project))
        names = [random.randbytes(8).hex() for _ in range(size)]
        log.publish(session, scope, *(EventDraft("document.updated", "document", name) for name in names))
