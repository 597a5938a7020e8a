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
    """The default limits, written from the settings; NULL means unlimited."""

    __tablename__ = "quota_default"
    __table_args__ = ({"info": {"kind": TableKind.SYSTEM}},)

    quota: Mapped[str] = mapped_column(Text, primary_key=True)
    most: Mapped[Decimal | None] = mapped_column(_MOST)


class ProjectQuota(Base):
    """Limits that an operator has set for one project."""

    __tablename__ = "project_quota"
    __table_args__ = ({"info": {"kind": TableKind.PROJECT}},)

    project_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("project.id", ondelete="CASCADE"), primary_key=True)
    quota: Mapped[str] = mapped_column(Text, primary_key=True)
    most: Mapped[Decimal | None] = mapped_column(_MOST)
    set_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class AccountQuota(Base):
    """Limits that an operator has set for one account."""

    __tablename__ = "account_quota"
    __table_args__ = ({"info": {"kind": TableKind.PRINCIPAL}},)

    account_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    quota: Mapped[str] = mapped_column(Text, primary_key=True)
    most: Mapped[Decimal | None] = mapped_column(_MOST)
    set_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class ProjectUsage(Base):
    """A project's storage, as the sum over its slots. Each writer locks a slot of its own, so writers do not wait.

    `spare_*` is how much a slot may still add before the quota is checked again. `marked_*` counts what is marked as
    deleted until it is purged.
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
