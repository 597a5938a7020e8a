from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, DateTime, ForeignKey, Identity, Numeric, Text, Uuid, func
from sqlalchemy.orm import Mapped, mapped_column

from partywall.core.db.base import Base, TableKind

_MOST: Final = Numeric(28, 8)


class QuotaDefault(Base):
    """What holds where no operator has set something else; null is no limit. Written from the settings."""

    __tablename__ = "quota_default"
    __table_args__ = ({"info": {"kind": TableKind.SYSTEM}},)

    quota: Mapped[str] = mapped_column(Text, primary_key=True)
    most: Mapped[Decimal | None] = mapped_column(_MOST)


class ProjectQuota(Base):
    """What an operator has set for one project."""

    __tablename__ = "project_quota"
    __table_args__ = ({"info": {"kind": TableKind.PROJECT}},)

    project_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("project.id", ondelete="CASCADE"), primary_key=True)
    quota: Mapped[str] = mapped_column(Text, primary_key=True)
    most: Mapped[Decimal | None] = mapped_column(_MOST)
    set_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class AccountQuota(Base):
    """What an operator has set for one account."""

    __tablename__ = "account_quota"
    __table_args__ = ({"info": {"kind": TableKind.PRINCIPAL}},)

    account_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    quota: Mapped[str] = mapped_column(Text, primary_key=True)
    most: Mapped[Decimal | None] = mapped_column(_MOST)
    set_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class ProjectUsage(Base):
    """Added up over its slots, what a project stores; each writer takes a slot that no other one holds.

    What a slot has to spare may be added before the quota is looked at again. What is marked as deleted counts apart,
    until it is gone.
    """

    __tablename__ = "project_usage"
    __table_args__ = ({"info": {"kind": TableKind.PROJECT}},)

    project_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("project.id", ondelete="CASCADE"), primary_key=True)
    slot: Mapped[int] = mapped_column(BigInteger, Identity(always=True), primary_key=True)
    documents: Mapped[int] = mapped_column(BigInteger, server_default="0")
    bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    marked_documents: Mapped[int] = mapped_column(BigInteger, server_default="0")
    marked_bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    spare_documents: Mapped[int] = mapped_column(BigInteger, server_default="0")
    spare_bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
