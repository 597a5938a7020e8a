from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, Index, Integer, LargeBinary, Text, Uuid, func
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from partywall.core.db.base import Base, TableKind


class IdempotencyKey(Base):
    """The first successful answer under a key, kept for replay. Outside a project, `project_id` is the nil UUID.

    `subjects` are the ids of the objects in the answer. When one of them is deleted, the answer is emptied and its
    `status` becomes 404; the key stays used.
    """

    __tablename__ = "idempotency_key"
    __table_args__ = (
        Index("idempotency_key_subjects_idx", "subjects", postgresql_using="gin"),
        {"info": {"kind": TableKind.PRINCIPAL}},
    )

    principal: Mapped[str] = mapped_column(Text, primary_key=True)
    project_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, index=True)
    route: Mapped[str] = mapped_column(Text, primary_key=True)
    key: Mapped[str] = mapped_column(Text, primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int] = mapped_column(Integer)
    headers: Mapped[dict[str, str]] = mapped_column(JSONB)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    subjects: Mapped[list[UUID]] = mapped_column(ARRAY(Uuid), server_default="{}")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), index=True)
