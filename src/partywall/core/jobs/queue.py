from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final, Self

import orjson
from pgqueuer.ports.driver import Driver, TaskManagerPort
from pgqueuer.queries import Queries
from pydantic import JsonValue
from sqlalchemy import text

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.jobs.kinds import JobKind, JobPayload

_ON_QUEUE: Final = text("SELECT EXISTS (SELECT FROM pgqueuer WHERE id = :job)")


class SessionDriver(Driver):
    """PgQueuer over the caller's own transaction, so that a job commits or vanishes with its cause.

    Goes through the dialect: on the raw connection the BEGIN that SQLAlchemy defers would never be sent.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._shutdown = asyncio.Event()

    async def fetch(self, query: str, *args: object) -> list[dict[str, object]]:
        connection = await self._session.connection()
        result = await connection.exec_driver_sql(query, args)
        return [dict(row) for row in result.mappings()]

    async def execute(self, query: str, *args: object) -> str:
        connection = await self._session.connection()
        return str((await connection.exec_driver_sql(query, args)).rowcount)

    async def notify(self, channel: str, payload: str) -> None:
        await self.execute("SELECT pg_notify($1, $2)", channel, payload)

    async def add_listener(self, channel: str, callback: Callable[[str | bytes | bytearray], None]) -> None:
        # lint: allow stand-in - the library asks for it of every driver, and uses it of those that listen
        raise NotImplementedError("a transaction does not listen")

    async def remove_listener(self, channel: str, callback: Callable[[str | bytes | bytearray], None]) -> None:
        # lint: allow stand-in - the library asks for it of every driver, and uses it of those that listen
        raise NotImplementedError("a transaction does not listen")

    @property
    def shutdown(self) -> asyncio.Event:
        return self._shutdown

    @property
    def tm(self) -> TaskManagerPort:
        # lint: allow stand-in - the library asks for it of every driver, and uses it of those that listen
        raise NotImplementedError("a transaction runs no tasks")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None


async def enqueue[P: JobPayload](
    session: AsyncSession, kind: JobKind[P], payload: P, *, priority: int = 0, after: timedelta | None = None
) -> None:
    """Enqueues in the session's own transaction."""
    body = payload.model_dump_json(exclude_none=True).encode()
    await Queries(SessionDriver(session)).enqueue(kind.name, body, priority=priority, execute_after=after)


async def enqueue_once[P: JobPayload](session: AsyncSession, kind: JobKind[P], payload: P, subject: object) -> None:
    """The same, unless a job of this kind for the same subject is already waiting or at work."""
    body = payload.model_dump_json(exclude_none=True).encode()
    key = f"{kind.name}:{subject}"
    await Queries(SessionDriver(session)).enqueue(kind.name, body, dedupe_key=key, on_conflict="skip")


async def is_on_queue(session: AsyncReadSession, job_id: int) -> bool:
    """Whether the job waits or is at work."""
    return bool(await session.scalar(_ON_QUEUE, {"job": job_id}))


async def requeue(session: AsyncSession, kind: str, payload: Mapping[str, JsonValue]) -> None:
    """Enqueues what was parked, as the job that it was."""
    await Queries(SessionDriver(session)).enqueue(kind, orjson.dumps(payload))
