from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Numeric,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from partywall.core.db.base import Base, TableKind

_COST = Numeric(20, 8)


class Run(Base):
    """One run of an agent.

    `turn` counts the turns between decisions, `attempts` the starts since the last finished step, `state` the visible
    changes. `bytes` is what the run and its journal store, updated when it starts, waits or ends. `priced` is false
    once a model without a known price was used. Since `failing_at` the run waits for an unavailable service; it is
    retried at `retry_at`.
    """

    __tablename__ = "run"
    __table_args__ = (
        CheckConstraint(
            "status IN ('queued', 'running', 'waiting', 'succeeded', 'failed', 'cancelled')", name="status"
        ),
        ForeignKeyConstraint(
            ["project_id", "continues"], ["run.project_id", "run.id"], ondelete="SET NULL (continues)"
        ),
        Index("run_created_at_idx", "project_id", "created_at", "id"),
        Index("run_continues_idx", "project_id", "continues"),
        Index(
            "run_open_idx",
            "project_id",
            "created_at",
            "id",
            postgresql_where=text("status IN ('queued', 'running', 'waiting')"),
        ),
        {"info": {"kind": TableKind.PROJECT}},
    )

    project_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("project.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    agent: Mapped[str] = mapped_column(Text)
    status: Mapped[str] = mapped_column(Text, server_default="queued")
    input: Mapped[dict[str, JsonValue]] = mapped_column(JSONB)
    output: Mapped[dict[str, JsonValue] | None] = mapped_column(JSON)
    error_code: Mapped[str | None] = mapped_column(Text)
    error_detail: Mapped[str | None] = mapped_column(Text)
    pending: Mapped[list[dict[str, JsonValue]] | None] = mapped_column(JSON)
    continues: Mapped[UUID | None] = mapped_column(Uuid)
    principal: Mapped[str] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(Text)
    traceparent: Mapped[str | None] = mapped_column(Text)
    turn: Mapped[int] = mapped_column(Integer, server_default="1")
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    state: Mapped[int] = mapped_column(Integer, server_default="0")
    model_calls: Mapped[int] = mapped_column(Integer, server_default="0")
    tool_calls: Mapped[int] = mapped_column(Integer, server_default="0")
    input_tokens: Mapped[int] = mapped_column(BigInteger, server_default="0")
    output_tokens: Mapped[int] = mapped_column(BigInteger, server_default="0")
    seconds: Mapped[float] = mapped_column(Double, server_default="0")
    cost: Mapped[Decimal] = mapped_column(_COST, server_default="0")
    priced: Mapped[bool] = mapped_column(server_default=text("true"))
    bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    cancel_requested_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    retry_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    failing_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    started_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class RunTurn(Base):
    """The end of a turn: all messages so far, the pending tool calls if it waits, and the decision on them."""

    __tablename__ = "run_turn"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "run_id"], ["run.project_id", "run.id"], ondelete="CASCADE"),
        {"info": {"kind": TableKind.PROJECT}},
    )

    project_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    run_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    messages: Mapped[list[JsonValue]] = mapped_column(JSON)
    pending: Mapped[JsonValue] = mapped_column(JSON, nullable=True)
    decision: Mapped[dict[str, JsonValue] | None] = mapped_column(JSONB)
    decided_by: Mapped[str | None] = mapped_column(Text)
    decided_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class RunStep(Base):
    """A step of the journal: a model call or a tool call, started `attempts` times, finished once.

    Its name and its number among the steps of that name identify it, because an agent makes its calls in the same
    order each time. `effect` is the result of a tool's effect that was committed before the step.
    """

    __tablename__ = "run_step"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "run_id"], ["run.project_id", "run.id"], ondelete="CASCADE"),
        {"info": {"kind": TableKind.PROJECT}},
    )

    project_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    run_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    turn: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    name: Mapped[str] = mapped_column(Text, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    attempts: Mapped[int] = mapped_column(Integer, server_default="1")
    effect: Mapped[JsonValue] = mapped_column(JSON(none_as_null=True), nullable=True)
    result: Mapped[JsonValue] = mapped_column(JSON(none_as_null=False), nullable=True)
    started_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
