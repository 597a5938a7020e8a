from __future__ import annotations

from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import BigInteger, DateTime, Integer, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from partywall.core.db.base import Base, TableKind


class JobAttempt(Base):
    """How often a job was begun, crashes included; `parked_at` marks a poison job for the operator."""

    __tablename__ = "job_attempt"
    __table_args__ = ({"info": {"kind": TableKind.SYSTEM}},)

    job_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(Text)
    attempts: Mapped[int] = mapped_column(Integer, server_default="0")
    payload: Mapped[dict[str, JsonValue]] = mapped_column(JSONB)
    error: Mapped[str | None] = mapped_column(Text)
    parked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
