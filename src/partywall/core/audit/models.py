from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import DateTime, ForeignKey, Index, Text, Uuid, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from partywall.core.db.base import Base, TableKind


class AccountAudit(Base):
    """What happened to an account. The runtime role may add and read rows, and change none.

    It has no foreign key, so that an entry ends by its age alone. `account_id` is NULL only within
    `wall.audit_address`. `actor` is NULL without a login. `client` is the network (/24 or /48) of the
    request.
    """

    __tablename__ = "account_audit"
    __table_args__ = (
        Index("account_audit_account_id_created_at_id_idx", "account_id", "created_at", "id"),
        {"info": {"kind": TableKind.PRINCIPAL}},
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    account_id: Mapped[UUID | None] = mapped_column(Uuid)
    action: Mapped[str] = mapped_column(Text)
    actor: Mapped[str | None] = mapped_column(Text)
    subject: Mapped[str | None] = mapped_column(Text)
    data: Mapped[dict[str, JsonValue]] = mapped_column(JSONB, server_default=text("'{}'"))
    client: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)


class ProjectAudit(Base):
    """What happened to the access of a project, likewise. Only owners read it."""

    __tablename__ = "project_audit"
    __table_args__ = (
        Index("project_audit_project_id_created_at_id_idx", "project_id", "created_at", "id"),
        {"info": {"kind": TableKind.DIRECTORY}},
    )

    project_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("project.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    action: Mapped[str] = mapped_column(Text)
    actor: Mapped[str | None] = mapped_column(Text)
    subject: Mapped[str | None] = mapped_column(Text)
    data: Mapped[dict[str, JsonValue]] = mapped_column(JSONB, server_default=text("'{}'"))
    client: Mapped[str | None] = mapped_column(Text)
    request_id: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)
