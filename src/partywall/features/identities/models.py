from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, ForeignKey, Index, Text, UniqueConstraint, Uuid, func
from sqlalchemy.orm import Mapped, mapped_column

from partywall.core.db.base import Base, TableKind


class Identity(Base):
    """A person's identity at a provider, by which they log in. `provider` is its name in the settings.

    `address` is the last one that the provider has verified. It identifies nobody.
    """

    __tablename__ = "identity"
    __table_args__ = (
        UniqueConstraint("issuer", "subject"),
        Index("identity_account_id_created_at_idx", "account_id", "created_at"),
        {"info": {"kind": TableKind.PRINCIPAL}},
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    account_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("account.id", ondelete="CASCADE"))
    issuer: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(Text)
    provider: Mapped[str] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(Text)
    last_used_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
