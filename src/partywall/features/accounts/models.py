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
    # The runtime role may write its own row's hash but read none; only `wall.credential_of` reads them.
    password_hash: Mapped[str | None] = mapped_column(Text, deferred=True, deferred_raiseload=True)
    disabled_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    revision: Mapped[int] = mapped_column(Integer, server_default="1")
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Registration(Base):
    """A registration of an unconfirmed address. The runtime role can access it only through SQL functions.

    `token_hash` is the SHA-256 of the mailed token. A NULL `password_hash` stands for the account's own password: the
    registration created the account, or a resend made it when no other was pending. `resent` counts mails after the
    first, and `resent_own` those requested from the registering network. `network_hash` is the keyed hash of that
    network and the address.
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


class AccountToken(Base):
    """A token mailed to the owner of an account. The runtime role can access it only through SQL functions.

    `token_hash` is the SHA-256 of the mailed token. A used token has no row.
    """

    __tablename__ = "account_token"
    __table_args__ = ({"info": {"kind": TableKind.DIRECTORY}},)

    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    account_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("account.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str] = mapped_column(Text)
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    expires_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Session(Base):
    """A login and its family of refresh tokens."""

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
    # Refreshes in the epoch minute `used_minute`, and in the minute before it.
    used_minute: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    uses: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    former_uses: Mapped[int] = mapped_column(Integer, server_default=text("0"))


class RefreshToken(Base):
    """A refresh token. It is kept after use, so that reuse is detected."""

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
    """Consecutive failed logins of an address, from one network or from all unknown networks together.

    The address need not have an account. `counter` and `address_hash` are keyed hashes.
    """

    __tablename__ = "login_failure"
    __table_args__ = ({"info": {"kind": TableKind.SYSTEM}},)

    counter: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    address_hash: Mapped[bytes] = mapped_column(LargeBinary, index=True)
    failures: Mapped[int] = mapped_column(Integer)
    failed_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
    locked_until: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class KnownNetwork(Base):
    """A network that an account has logged in from. `network_hash` is the keyed hash of address and network."""

    __tablename__ = "known_network"
    __table_args__ = ({"info": {"kind": TableKind.SYSTEM}},)

    address_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    network_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    used_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), index=True)
