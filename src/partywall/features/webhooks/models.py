from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from partywall.core.db.base import Base, TableKind

_OF_A_WEBHOOK = (["project_id", "webhook_id"], ["webhook.project_id", "webhook.id"])


class Webhook(Base):
    """What users have set. The secrets are sealed; `types` are patterns, null for all but `run.token`."""

    __tablename__ = "webhook"
    __table_args__ = ({"info": {"kind": TableKind.PROJECT}},)

    project_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("project.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    url: Mapped[str] = mapped_column(Text)
    types: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    description: Mapped[str | None] = mapped_column(Text)
    enabled: Mapped[bool] = mapped_column(Boolean, server_default="true")
    sealed_secret: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    sealed_previous_secret: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    previous_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revision: Mapped[int] = mapped_column(Integer, server_default="1")
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class WebhookProgress(Base):
    """The workers' state of a webhook.

    All matching events up to `position` have a delivery. `failing_at` is the time of the first of the current
    `failures` in a row. New events are searched for from `quiet_until` on. Only the holder of the webhook's job sends.
    """

    __tablename__ = "webhook_progress"
    __table_args__ = (
        ForeignKeyConstraint(*_OF_A_WEBHOOK, ondelete="CASCADE"),
        CheckConstraint("disabled_reason IN ('gone', 'failing', 'reclaimed')", name="disabled_reason"),
        {"info": {"kind": TableKind.PROJECT}},
    )

    project_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    webhook_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    position: Mapped[int] = mapped_column(BigInteger)
    disabled_reason: Mapped[str | None] = mapped_column(Text)
    failures: Mapped[int] = mapped_column(Integer, server_default="0")
    failing_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    paused_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    quiet_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class WebhookDelivery(Base):
    """One event for one webhook. Every attempt sends its id as `webhook-id`.

    `attempts_before` counts the attempts before it was last requested again.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        ForeignKeyConstraint(*_OF_A_WEBHOOK, ondelete="CASCADE"),
        UniqueConstraint("project_id", "webhook_id", "event_id"),
        CheckConstraint("status IN ('pending', 'succeeded', 'failed')", name="status"),
        Index(
            "webhook_delivery_due_idx", "project_id", "webhook_id", "next_attempt_at",
            postgresql_where=text("status = 'pending'"),
        ),
        Index("webhook_delivery_listed_idx", "project_id", "webhook_id", "created_at", "id"),
        Index(None, "created_at", postgresql_using="brin"),
        {"info": {"kind": TableKind.PROJECT}},
    )  # fmt: skip

    project_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    webhook_id: Mapped[UUID] = mapped_column(Uuid)
    event_id: Mapped[int] = mapped_column(BigInteger)
    event_type: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default="pending")
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    attempts_before: Mapped[int] = mapped_column(Integer, server_default="0")
    status_code: Mapped[int | None] = mapped_column(Integer)
    error: Mapped[str | None] = mapped_column(Text)
    next_attempt_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), server_default=func.now())
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
