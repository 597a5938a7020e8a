"""Enqueues jobs in the transaction that causes them: both are committed or neither is."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Integer, Interval, Text, bindparam, delete, func, insert, select
from sqlalchemy.dialects.postgresql import JSONB, array

from partywall.core.db.session import AsyncSession, note_enqueued
from partywall.core.jobs.kinds import JobKind
from partywall.core.jobs.models import NO_PROJECT, StoredJob
from partywall.core.jobs.payloads import JobPayload

_NOTHING: Final = timedelta()
_DUE: Final = func.now() + bindparam("after", type_=Interval)
_ONCE: Final = select(
    func.wall.enqueue_once(
        array([bindparam("kind", type_=Text)]),
        array([bindparam("payload", type_=JSONB)]),
        array([bindparam("key", type_=Text)]),
        array([_DUE]),
        array([bindparam("priority", type_=Integer)]),
    )
)


async def enqueue[P: JobPayload](
    session: AsyncSession, kind: JobKind[P], payload: P, *, priority: int = 0, after: timedelta = _NOTHING
) -> None:
    """Enqueues in the session's transaction. `priority` orders jobs of the same kind and project."""
    body = _body(payload)
    project = body.get("project_id")
    await session.execute(
        insert(StoredJob).values(
            kind=kind.name,
            project_id=NO_PROJECT if project is None else UUID(str(project)),
            payload=body,
            priority=priority,
            state="delayed" if after > _NOTHING else "waiting",
            due_at=func.now() + after,
        )
    )
    note_enqueued(session)


async def enqueue_once[P: JobPayload](
    session: AsyncSession,
    kind: JobKind[P],
    payload: P,
    subject: object,
    *,
    priority: int = 0,
    after: timedelta = _NOTHING,
) -> None:
    """The same, with at most one job for each subject.

    A waiting job stays unchanged, and a delayed one becomes due at the earlier of both times. A running one is run once
    more after it has ended, because it may already have read its subject.
    """
    await session.execute(
        _ONCE,
        {
            "kind": kind.name, "payload": _body(payload), "key": _key(kind, subject), "after": after,
            "priority": priority,
        },
    )  # fmt: skip
    note_enqueued(session)


async def dequeue[P: JobPayload](session: AsyncSession, kind: JobKind[P], subject: object) -> None:
    """Removes the subject's job, unless it is running."""
    idle = StoredJob.state.in_(("waiting", "delayed"))
    await session.execute(delete(StoredJob).where(StoredJob.dedupe_key == _key(kind, subject), idle))


def _key[P: JobPayload](kind: JobKind[P], subject: object) -> str:
    return f"{kind.name}:{subject}"


def _body(payload: JobPayload) -> dict[str, JsonValue]:
    body: dict[str, JsonValue] = payload.model_dump(mode="json", exclude_none=True)
    return body
