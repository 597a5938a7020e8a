from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from uuid import UUID

from partywall.core.audit.trail import AuditEntry, audit_account
from partywall.core.db.session import AsyncReadSession, AsyncSession, after_commit
from partywall.core.page_request import PageRequest
from partywall.core.pagination import Cursors
from partywall.core.preconditions import require_match
from partywall.core.schemas import Page
from partywall.core.security.tokens import AccessTokens
from partywall.features.accounts.exceptions import AccountGoneError, SessionNotFoundError
from partywall.features.accounts.models import Account
from partywall.features.accounts.models import Session as SessionRow
from partywall.features.accounts.repository import AccountRepository, AccountWriter
from partywall.features.accounts.schemas import Session, SessionQuery, User, UserPatch
from partywall.features.accounts.session_repository import KEYSET, SessionRepository, SessionWriter


@dataclass(frozen=True, slots=True)
class VersionedUser:
    """A user, and the revision in its entity tag."""

    user: User
    revision: int


def _present(row: Account) -> VersionedUser:
    user = User(
        id=row.id, email=row.email, email_verified=row.email_verified_at is not None, full_name=row.full_name,
        created_at=row.created_at,
    )  # fmt: skip
    return VersionedUser(user, row.revision)


async def get_user(session: AsyncReadSession, account_id: UUID) -> VersionedUser:
    """The bound user. Raises AccountGoneError if the account is disabled or erased."""
    row = await AccountRepository(session, account_id).get()
    if row is None:
        raise AccountGoneError
    return _present(row)


@dataclass(frozen=True, slots=True)
class AccountService:
    """Changes the caller's own account."""

    session: AsyncSession
    account_id: UUID

    async def update(self, patch: UserPatch, if_match: str | None = None) -> VersionedUser:
        """Raises AccountGoneError, or PreconditionFailedError unless `if_match` names the revision."""
        row = await AccountRepository(self.session, self.account_id).lock()
        if row is None:
            raise AccountGoneError
        require_match(if_match, row.revision)
        if "full_name" in patch.model_fields_set:
            await AccountWriter(self.session, self.account_id).set_name(patch.full_name)
            self.session.expire_all()
        return await get_user(self.session, self.account_id)


async def list_sessions(
    session: AsyncReadSession, account_id: UUID, current: UUID | None, query: SessionQuery, cursors: Cursors
) -> Page[Session]:
    wanted = PageRequest(query, cursors, KEYSET, ("sessions", account_id))
    await get_user(session, account_id)
    own = SessionRepository(session, account_id)
    present = partial(_present_session, current=current)
    return await wanted.page(own.page, own.count, present, lambda each: (each.created_at, each.id))


def _present_session(row: SessionRow, current: UUID | None) -> Session:
    return Session(
        id=row.id, user_agent=row.user_agent, current=row.id == current, created_at=row.created_at,
        last_used_at=row.last_used_at, expires_at=row.expires_at,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class SessionService:
    """Ends any session of the caller."""

    session: AsyncSession
    account_id: UUID
    tokens: AccessTokens

    async def revoke(self, session_id: UUID) -> None:
        await get_user(self.session, self.account_id)
        if not await SessionWriter(self.session, self.account_id).revoke(session_id):
            raise SessionNotFoundError
        await audit_account(self.session, self.account_id, AuditEntry("session.ended", f"session:{session_id}"))

        async def forget() -> None:
            self.tokens.forget_session(session_id)

        after_commit(self.session, forget)
