from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from partywall.core.db.base import Base, TableKind


class Account(Base):
    __tablename__ = "account"
    __table_args__ = ({"info": {"kind": TableKind.PRINCIPAL}},)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    email: Mapped[str] = mapped_column(Text, unique=True)
    email_verified_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    full_name: Mapped[str | None] = mapped_column(Text)
    # The runtime role may write the hash of its own row but read none: `wall.credential_of` does.
    password_hash: Mapped[str | None] = mapped_column(Text, deferred=True, deferred_raiseload=True)
    disabled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revision: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Registration(Base):
    """One of an address that is not confirmed yet; the runtime role reaches it through functions alone.

    `token_hash` is the SHA-256 of the token that is mailed. One without a `password_hash` goes by the account's own: it
    has made the account, or was asked for when no other waited any more. `resent` counts the mails after the first, and
    `resent_own` those that were asked for from where it came from: `network_hash`, of that network and the address.
    """

    __tablename__ = "registration"
    __table_args__ = ({"info": {"kind": TableKind.DIRECTORY}},)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    account_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("account.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    password_hash: Mapped[str | None] = mapped_column(Text)
    full_name: Mapped[str | None] = mapped_column(Text)
    resent: Mapped[int] = mapped_column(Integer, server_default="0")
    resent_own: Mapped[int] = mapped_column(Integer, server_default="0")
    network_hash: Mapped[bytes | None] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Session(Base):
    """A login and the family of refresh tokens that came of it."""

    __tablename__ = "session"
    __table_args__ = (
        UniqueConstraint("account_id", "id"),
        {"info": {"kind": TableKind.PRINCIPAL}},
    )

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    account_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("account.id", ondelete="CASCADE"))
    user_agent: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    revoked_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    last_used_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    # How often its tokens were refreshed in that minute of the epoch, and in the one before.
    used_minute: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    uses: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    former_uses: Mapped[int] = mapped_column(Integer, server_default=text("0"))


class RefreshToken(Base):
    """Kept after its use, so that a second use shows."""

    __tablename__ = "refresh_token"
    __table_args__ = (
        ForeignKeyConstraint(["account_id", "session_id"], ["session.account_id", "session.id"], ondelete="CASCADE"),
        Index("refresh_token_account_id_session_id_created_at_idx", "account_id", "session_id", "created_at"),
        {"info": {"kind": TableKind.PRINCIPAL}},
    )

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    account_id: Mapped[UUID] = mapped_column(Uuid)
    session_id: Mapped[UUID] = mapped_column(Uuid)
    used_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class LoginFailure(Base):
    """Failures in a row of what is counted: of an address from one network, or from all that are not known.

    Addresses may be known or not. Both are keyed hashes, `counter` of what is counted.
    """

    __tablename__ = "login_failure"
    __table_args__ = ({"info": {"kind": TableKind.SYSTEM}},)

    counter: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    address_hash: Mapped[bytes] = mapped_column(LargeBinary, index=True)
    failures: Mapped[int] = mapped_column(Integer)
    failed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    locked_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class KnownNetwork(Base):
    """Where an account's owner has logged in from; keyed hashes, the second one of the address and the network."""

    __tablename__ = "known_network"
    __table_args__ = ({"info": {"kind": TableKind.SYSTEM}},)

    address_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    network_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    used_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
