from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Integer,
    Numeric,
    Text,
    Uuid,
    func,
)
from sqlalchemy.orm import Mapped, mapped_column

from partywall.core.db.base import Base, TableKind

_COST = Numeric(20, 8)


class AgentBudget(Base):
    """What a project's runs together may use in a calendar month; null means no limit. `cost` is in US dollars."""

    __tablename__ = "agent_budget"
    __table_args__ = ({"info": {"kind": TableKind.PROJECT}},)

    project_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("project.id", ondelete="CASCADE"), primary_key=True)
    tokens: Mapped[int | None] = mapped_column(BigInteger)
    tool_calls: Mapped[int | None] = mapped_column(BigInteger)
    seconds: Mapped[int | None] = mapped_column(BigInteger)
    cost: Mapped[Decimal | None] = mapped_column(_COST)
    revision: Mapped[int] = mapped_column(Integer, server_default="1")
    updated_by: Mapped[str] = mapped_column(Text)
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class AgentUsage(Base):
    """What a project's runs have used in a month, updated with each finished or interrupted step.

    `runs` is the number of started runs, counted by the database.
    """

    __tablename__ = "agent_usage"
    __table_args__ = ({"info": {"kind": TableKind.PROJECT}},)

    project_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("project.id", ondelete="CASCADE"), primary_key=True)
    month: Mapped[date] = mapped_column(Date, primary_key=True)
    tokens: Mapped[int] = mapped_column(BigInteger, server_default="0")
    tool_calls: Mapped[int] = mapped_column(BigInteger, server_default="0")
    seconds: Mapped[float] = mapped_column(Double, server_default="0")
    cost: Mapped[Decimal] = mapped_column(_COST, server_default="0")
    runs: Mapped[int] = mapped_column(BigInteger, server_default="0")
