"""The tables of the queue; workers use them through the functions in `sql/`."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import BigInteger, DateTime, Identity, Index, Integer, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from partywall.core.db.base import Base, TableKind

# The project id of jobs outside projects.
NO_PROJECT: Final = UUID(int=0)

_WAITING: Final = text("state = 'waiting'")
_DELAYED: Final = text("state = 'delayed'")
_RUNNING: Final = text("state = 'running'")
_DEAD_LETTER: Final = text("state = 'dead_letter'")
# At most one waiting, delayed or running job has a given key.
ONCE: Final = text("state <> 'dead_letter' AND dedupe_key IS NOT NULL")


class StoredJob(Base):
    """A job on the queue: `waiting`, `delayed` until it is due, `running` or `dead_letter`. Finished jobs are deleted.

    Each attempt has a new `lease`, which fences its writes; `attempts` counts started attempts. `again_at` is when a
    running job is to run once more, if it was enqueued again meanwhile.
    """

    __tablename__ = "job"
    __table_args__ = (
        Index("job_waiting_idx", "kind", "project_id", text("priority DESC"), "id", postgresql_where=_WAITING),
        Index("job_delayed_idx", "due_at", postgresql_where=_DELAYED),
        Index("job_running_idx", "heartbeat_at", "id", postgresql_where=_RUNNING),
        Index("job_dead_letter_idx", "dead_letter_at", postgresql_where=_DEAD_LETTER),
        Index("job_dedupe_key_idx", "dedupe_key", unique=True, postgresql_where=ONCE),
        {"info": {"kind": TableKind.SYSTEM, "names_project": "a worker serves all projects and opens scopes later"}},
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    project_id: Mapped[UUID] = mapped_column(Uuid, server_default=text(f"'{NO_PROJECT}'"))
    payload: Mapped[dict[str, JsonValue]] = mapped_column(JSONB)
    priority: Mapped[int] = mapped_column(Integer, server_default="0")
    state: Mapped[str] = mapped_column(Text, server_default="waiting")
    dedupe_key: Mapped[str | None] = mapped_column(Text)
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    lease: Mapped[UUID | None] = mapped_column(Uuid)
    heartbeat_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    again_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    error: Mapped[str | None] = mapped_column(Text)
    dead_letter_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class JobRequest(Base):
    """A job requested by an SQL function that must not wait for locks; accessed only through SQL functions."""

    __tablename__ = "job_request"
    __table_args__ = ({"info": {"kind": TableKind.SYSTEM}},)

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    kind: Mapped[str] = mapped_column(Text)
    payload: Mapped[dict[str, JsonValue]] = mapped_column(JSONB)
    dedupe_key: Mapped[str] = mapped_column(Text)
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))


class JobSchedule(Base):
    """The last tick of a schedule for which a job was enqueued."""

    __tablename__ = "job_schedule"
    __table_args__ = ({"info": {"kind": TableKind.SYSTEM}},)

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    last_tick_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
