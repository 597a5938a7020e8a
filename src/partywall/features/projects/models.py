from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, DateTime, ForeignKey, Integer, LargeBinary, Text, UniqueConstraint, Uuid, func
from sqlalchemy.orm import Mapped, mapped_column

from partywall.core.db.base import Base, TableKind


class Project(Base):
    __tablename__ = "project"
    __table_args__ = ({"info": {"kind": TableKind.DIRECTORY}},)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    name: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class ProjectMember(Base):
    __tablename__ = "project_member"
    __table_args__ = (
        CheckConstraint("role IN ('owner', 'admin', 'editor', 'viewer')", name="role"),
        {"info": {"kind": TableKind.DIRECTORY}},
    )

    project_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("project.id", ondelete="CASCADE"), primary_key=True)
    account_id: Mapped[UUID] = mapped_column(
        Uuid, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(Integer, server_default="1")
    joined_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Invitation(Base):
    """`token_hash` is the SHA-256 of the token that was mailed; `invited_by` a principal as text."""

    __tablename__ = "invitation"
    __table_args__ = (
        CheckConstraint("role IN ('owner', 'admin', 'editor', 'viewer')", name="role"),
        UniqueConstraint("project_id", "email"),
        {"info": {"kind": TableKind.DIRECTORY}},
    )

    project_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("project.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    email: Mapped[str] = mapped_column(Text, index=True)
    role: Mapped[str] = mapped_column(Text)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    invited_by: Mapped[str] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
