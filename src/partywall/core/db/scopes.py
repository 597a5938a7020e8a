"""Opens a scope in a session's transaction: binds principal and project, and checks the access."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import Boolean, Text, Uuid, bindparam, func, select

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.tenancy import Principal, ProjectScope, make_scope

_PRINCIPAL_AND_PROJECT = (bindparam("principal", type_=Text), bindparam("project_id", type_=Uuid))
_OPEN_SCOPE = select(func.wall.open_scope(*_PRINCIPAL_AND_PROJECT))
_OPEN_TIMED_SCOPE = select(
    func.wall.open_scope(*_PRINCIPAL_AND_PROJECT),
    func.set_config("statement_timeout", bindparam("milliseconds", type_=Text), True),
)
_OPEN_SHARED_SCOPE = select(func.wall.open_shared_scope(*_PRINCIPAL_AND_PROJECT, bindparam("accepting", type_=Boolean)))
_LOCK_EXCLUSIVE = select(func.wall.lock_exclusive(*reversed(_PRINCIPAL_AND_PROJECT)))


async def open_scope(
    session: AsyncReadSession, principal: Principal, project_id: UUID, *, statement_timeout: timedelta | None = None
) -> ProjectScope:
    """Binds principal and project to the session's transaction; raises ProjectNotFoundError without access.

    `statement_timeout` limits each later statement of the transaction.
    """
    values = {"principal": str(principal), "project_id": project_id}
    if statement_timeout is None:
        role = await session.scalar(_OPEN_SCOPE, values)
    else:
        milliseconds = str(int(statement_timeout.total_seconds() * 1000))
        role = await session.scalar(_OPEN_TIMED_SCOPE, {**values, "milliseconds": milliseconds})
    return make_scope(project_id, principal, role)


async def open_shared_scope(
    session: AsyncSession, principal: Principal, project_id: UUID, *, accepting: bool = False
) -> ProjectScope:
    """Like `open_scope`, and keeps project and membership from ending until the commit.

    With `accepting`, for a principal's own requests, a project that counts for no account counts from now on for the
    owner who opens it; raises QuotaExceededError if that owner may have no more projects.

    Not for callers that lock the project exclusively: two of them would deadlock.
    """
    values = {"principal": str(principal), "project_id": project_id, "accepting": accepting}
    role = await session.scalar(_OPEN_SHARED_SCOPE, values)
    return make_scope(project_id, principal, role)


async def lock_exclusive(session: AsyncReadSession, project_id: UUID, principal: Principal | None = None) -> None:
    """Waits for current writers, then admits none, or none of this principal, until the commit.

    Call it before locking the row to delete or change it: new writers could otherwise delay that lock forever. Not for
    callers that hold the shared lock.
    """
    await session.execute(_LOCK_EXCLUSIVE, {"principal": str(principal or ""), "project_id": project_id})
