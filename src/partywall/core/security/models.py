from __future__ import annotations

from datetime import datetime

from pydantic import JsonValue
from sqlalchemy import DateTime, LargeBinary, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from partywall.core.db.base import Base, TableKind


class SigningKey(Base):
    """A signing key of access tokens. Signs from `active_at`, verifies until `retired_at`."""

    __tablename__ = "signing_key"
    __table_args__ = ({"info": {"kind": TableKind.SYSTEM}},)

    kid: Mapped[str] = mapped_column(Text, primary_key=True)
    public_jwk: Mapped[dict[str, JsonValue]] = mapped_column(JSONB)
    sealed_private_jwk: Mapped[bytes] = mapped_column(LargeBinary)
    active_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    retired_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
