from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import BigInteger, DateTime, ForeignKey, ForeignKeyConstraint, Identity, Index, Text, Uuid, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from partywall.core.db.base import Base, TableKind


class EventCounter(Base):
    """The number of a project's last event and of the oldest kept; locked while events are numbered or removed.

    `bytes` is the size of the kept events, as `wall.event_bytes` counts it.
    """

    __tablename__ = "event_counter"
    __table_args__ = ({"info": {"kind": TableKind.PROJECT}},)

    project_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("project.id", ondelete="CASCADE"), primary_key=True)
    last: Mapped[int] = mapped_column(BigInteger, server_default="0")
    oldest: Mapped[int] = mapped_column(BigInteger, server_default="1")
    bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")


class PendingEvent(Base):
    """The events of one transaction in a project, not numbered yet; accessed only through SQL functions."""

    __tablename__ = "pending_event"
    __table_args__ = ({"info": {"kind": TableKind.PROJECT}},)

    project_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("project.id", ondelete="CASCADE"), primary_key=True)
    seq: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    actor: Mapped[str] = mapped_column(Text)
    events: Mapped[list[JsonValue]] = mapped_column(JSONB)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())


class Event(Base):
    __tablename__ = "event"
    __table_args__ = (
        ForeignKeyConstraint(["project_id"], ["event_counter.project_id"], ondelete="CASCADE"),
        Index(None, "at", postgresql_using="brin"),
        Index("event_subject_id_idx", "project_id", "subject_id", "id"),
        {"info": {"kind": TableKind.PROJECT}},
    )

    project_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    type: Mapped[str] = mapped_column(Text)
    actor: Mapped[str] = mapped_column(Text)
    subject_kind: Mapped[str] = mapped_column(Text)
    subject_id: Mapped[str] = mapped_column(Text)
    data: Mapped[dict[str, JsonValue]] = mapped_column(JSONB, server_default="{}")
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.clock_timestamp())
