"""A pooled connection keeps no scope, however a request ends, even if all requests share one connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg
import httpx2
import pytest
from sqlalchemy import ColumnElement, Select, func, literal_column, select, text
from sqlalchemy.exc import DBAPIError

from partywall.core.db.driver_errors import is_away
from partywall.core.db.pools import SharedQueuePool
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scoped_query import ScopedQuery
from partywall.core.db.scopes import open_scope
from partywall.core.resources import Resources
from partywall.settings import Settings
from partywall.testing.engines import Urls, new_database
from partywall.testing.users import Person, Users
from tests.features.live.server import Serving, serve
from tests.isolation.app_copies import settings_for

type Found = Select[*tuple[object, ...]]

LIMIT: Final = timedelta(seconds=1.5)
LEFT: Final = """
    SELECT concat(current_setting('partywall.principal', true), current_setting('partywall.project', true),
        wall.current_project()) AS scope, current_setting('transaction_isolation') AS isolation,
        (SELECT count(*) FROM event) + (SELECT count(*) FROM document) + (SELECT count(*) FROM project) AS seen
"""


@dataclass(frozen=True, slots=True)
class AttackedCopy:
    """Both pools have one connection; statements time out after LIMIT."""

    serving: Serving
    users: Users

    @property
    def resources(self) -> Resources:
        return self.serving.resources

    async def assert_clean(self) -> None:
        for ask in (self._of_the_engine, self._of_the_reads):
            assert await _when_reached(ask) == ("", "read committed", 0)

    async def _of_the_engine(self) -> tuple[object, ...]:
        async with self.resources.engine.connect() as connection:
            return tuple((await connection.execute(text(LEFT))).one())

    async def _of_the_reads(self) -> tuple[object, ...]:
        row = await self.resources.reads.fetchrow(LEFT)
        assert row is not None
        return tuple(row)


async def _when_reached(ask: Callable[[], Awaitable[tuple[object, ...]]]) -> tuple[object, ...]:
    """A connection may notice only in use that its server is gone; then the next one is tried."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await ask()
            except (DBAPIError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
                driver = error.orig.__cause__ if isinstance(error, DBAPIError) and error.orig else error
                if not is_away(driver):
                    raise
                await asyncio.sleep(0.05)


@pytest.fixture(scope="module")
async def attacked_copy(
    engines: Urls, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[AttackedCopy]:
    database = await new_database(engines, "pools")
    own = settings_for(settings, database, tmp_path_factory.mktemp("pools"), pool_size=1)
    own = own.model_copy(update={"database": own.database.model_copy(update={"statement_timeout": LIMIT})})
    async with serve(own) as serving, Users(serving.app, serving.resources, database) as users:
        pool = serving.resources.engine.pool
        assert isinstance(pool, SharedQueuePool)
        for slots in (pool.slots, serving.resources.reads.slots):
            slots._max_wait = 60.0  # many requests wait for the one connection
        yield AttackedCopy(serving, users)


@dataclass(frozen=True, slots=True)
class Caller:
    person: Person
    project: UUID
    word: str

    @property
    def url(self) -> str:
        return f"/api/v1/projects/{self.project}"


@pytest.fixture(scope="module")
async def callers(attacked_copy: AttackedCopy) -> tuple[Caller, Caller]:
    return await _caller(attacked_copy, "amber"), await _caller(attacked_copy, "bittern")


async def _caller(attacked_copy: AttackedCopy, word: str) -> Caller:
    person = await attacked_copy.users.person()
    caller = Caller(person, await person.project(word), word)
    body = {"title": word, "content": word, "external_id": word}
    assert (await person.client.post(f"{caller.url}/documents", json=body)).status_code == 201
    return caller


def _sleeping(allowed: ColumnElement[bool]) -> Found:
    return select(func.pg_sleep(5).label("slept")).where(allowed)


def _failing(allowed: ColumnElement[bool]) -> Found:
    return select((literal_column("1") / func.length("")).label("never")).where(allowed)


def _returning(allowed: ColumnElement[bool]) -> Found:
    return select(func.wall.current_project().label("project")).where(allowed)


READS: Final = {
    "return": ScopedQuery.read(_returning), "error": ScopedQuery.read(_failing), "timeout": ScopedQuery.read(_sleeping),
    "cancel": ScopedQuery.read(_sleeping), "lost": ScopedQuery.read(_sleeping),
}  # fmt: skip
STATEMENTS: Final = {"return": "SELECT 1", "error": "SELECT 1 / length('')"}
END: Final = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> $1"


async def _read(attacked_copy: AttackedCopy, caller: Caller, how: str) -> None:
    await ScopedReader(attacked_copy.resources.reads, caller.person.principal).row(READS[how], caller.project, {})


async def _transact(attacked_copy: AttackedCopy, caller: Caller, how: str) -> None:
    async with attacked_copy.resources.sessions.begin() as session:
        await open_scope(session, caller.person.principal, caller.project)
        await session.execute(text("UPDATE project SET name = name"))
        await session.execute(text(STATEMENTS.get(how, "SELECT pg_sleep(5)")))


async def _interrupt(attacked_copy: AttackedCopy, task: asyncio.Task[None], how: str) -> None:
    await asyncio.sleep(0.1)
    if how == "cancel":
        task.cancel()
    if how == "lost":
        await attacked_copy.users.execute(END.replace("$1", "pg_backend_pid()"))


@pytest.mark.parametrize("run", [_read, _transact], ids=["reads", "transactions"])
@pytest.mark.parametrize("how", READS)
async def test_whatever_ends_it_nothing_is_left(
    attacked_copy: AttackedCopy,
    callers: tuple[Caller, Caller],
    how: str,
    run: Callable[[AttackedCopy, Caller, str], Awaitable[None]],
) -> None:
    for caller in callers[: 1 if how == "timeout" else 2]:
        task = asyncio.ensure_future(run(attacked_copy, caller, how))
        await _interrupt(attacked_copy, task, how)
        [ended] = await asyncio.gather(task, return_exceptions=True)
        assert (ended is None) == (how == "return"), ended
        await attacked_copy.assert_clean()


REQUESTS: Final = (
    "GET /documents?limit=10", "GET /documents/stats", "GET /search?q=amber%20bittern", "GET ", "PATCH ",
    "POST /documents", "POST /documents keyed", "POST /events/ticket",
)  # fmt: skip


def _request(caller: Caller, what: str, client: httpx2.AsyncClient, number: int) -> httpx2.Request:
    method, path, *keyed = what.split(" ")
    body = {"POST": {"title": caller.word, "content": caller.word}, "PATCH": {"name": caller.word}}.get(method)
    headers = {"Authorization": f"Bearer {caller.person.token}"}
    if keyed:
        headers["Idempotency-Key"] = f"the-same-key-of-both-{number}"
    return client.build_request(method, caller.url + path, json=body, headers=headers)


async def _ask(client: httpx2.AsyncClient, caller: Caller, other: Caller, what: str, number: int) -> None:
    answer = await client.send(_request(caller, what, client, number))
    assert answer.status_code in (200, 201), (what, answer.text)
    assert other.word not in answer.text, what
    assert str(other.project) not in answer.text, what


async def test_two_callers_interleaved_on_one_connection(
    attacked_copy: AttackedCopy, callers: tuple[Caller, Caller]
) -> None:
    one, other = callers
    async with (
        httpx2.AsyncClient(base_url=attacked_copy.serving.url, timeout=60) as client,
        asyncio.TaskGroup() as group,
    ):
        for number in range(4):
            for what in REQUESTS:
                group.create_task(_ask(client, one, other, what, number))
                group.create_task(_ask(client, other, one, what, number))
    await attacked_copy.assert_clean()


async def test_requests_that_are_cancelled_halfway(attacked_copy: AttackedCopy, callers: tuple[Caller, Caller]) -> None:
    """In the same process, every few hundred microseconds of the request."""
    one, other = callers
    for step in range(40):
        for caller, what in ((one, REQUESTS[step % len(REQUESTS)]), (other, REQUESTS[(step + 3) % len(REQUESTS)])):
            client = caller.person.client
            task = asyncio.ensure_future(client.send(_request(caller, what, client, step)))
            await asyncio.sleep(step * 0.0003)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    await attacked_copy.assert_clean()
    async with httpx2.AsyncClient(base_url=attacked_copy.serving.url, timeout=60) as client:
        for what in REQUESTS:
            await _ask(client, one, other, what, 100)


async def test_clients_that_hang_up(attacked_copy: AttackedCopy, callers: tuple[Caller, Caller]) -> None:
    one, other = callers
    async with httpx2.AsyncClient(base_url=attacked_copy.serving.url, timeout=60) as client:
        for step in range(30):
            caller, what = (one, other)[step % 2], REQUESTS[step % len(REQUESTS)]
            await _hang_up(attacked_copy, _request(caller, what, client, 200 + step), step * 0.0003)
        for what in REQUESTS:
            await _ask(client, one, other, what, 300)
    await attacked_copy.assert_clean()


async def _hang_up(attacked_copy: AttackedCopy, request: httpx2.Request, after: float) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", request.url.port)
    target = request.url.raw_path
    lines = [b"%b %b HTTP/1.1" % (request.method.encode(), target), *(b": ".join(pair) for pair in request.headers.raw)]
    writer.write(b"\r\n".join([*lines, b"", b""]) + request.content)
    await writer.drain()
    await asyncio.sleep(after)
    writer.transport.abort()
