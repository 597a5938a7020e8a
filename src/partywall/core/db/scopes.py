"""Opens a scope in a session's transaction: binds principal and project, and checks the access.

The type of the scope says what the transaction has locked, see `core.tenancy`. A transaction that changes access opens
an `UnlockedScope` first: two that already held shared locks would deadlock.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import Boolean, Text, Uuid, bindparam, func, select, text

from partywall.core.db.session import AsyncReadSession, AsyncSession, Hook
from partywall.core.tenancy import (
    ExclusiveScope,
    Principal,
    ProjectNotFoundError,
    SharedScope,
    UnlockedScope,
    sealed_scope,
)

# The rows of the project: against other changes of access, and against all writers.
_LOCK_PROJECT = text("SELECT id FROM project WHERE id = :project_id FOR NO KEY UPDATE")
_LOCK_PROJECT_TO_END = text("SELECT id FROM project WHERE id = :project_id FOR UPDATE")
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
) -> UnlockedScope:
    """Binds principal and project to the session's transaction; raises ProjectNotFoundError without access.

    `statement_timeout` limits each later statement of the transaction.
    """
    values = {"principal": str(principal), "project_id": project_id}
    if statement_timeout is None:
        role = await session.scalar(_OPEN_SCOPE, values)
    else:
        milliseconds = str(int(statement_timeout.total_seconds() * 1000))
        role = await session.scalar(_OPEN_TIMED_SCOPE, {**values, "milliseconds": milliseconds})
    return sealed_scope(UnlockedScope, project_id, principal, role)


async def open_shared_scope(
    session: AsyncSession, principal: Principal, project_id: UUID, *, accepting: bool = False
) -> SharedScope:
    """Like `open_scope`, and keeps project and membership from ending until the commit.

    With `accepting`, for a principal's own requests, a project that counts for no account counts from now on for the
    owner who opens it; raises QuotaExceededError if that owner may have no more projects.
    """
    values = {"principal": str(principal), "project_id": project_id, "accepting": accepting}
    role = await session.scalar(_OPEN_SHARED_SCOPE, values)
    return sealed_scope(SharedScope, project_id, principal, role)


async def open_exclusive_scope(
    session: AsyncSession, opened: UnlockedScope, *, ends_project: bool = False, recheck: Hook | None = None
) -> ExclusiveScope:
    """Waits for other changes of access and admits none until the commit; documents may still be written.

    With `ends_project` it also waits for all writers, and admits none. `recheck` is called under the lock. Returns a
    fresh scope: the caller's role may have changed during the wait. Raises ProjectNotFoundError.
    """
    project = {"project_id": opened.project_id}
    if ends_project:
        await _keep_out(session, opened.project_id, "")
    if await session.scalar(_LOCK_PROJECT_TO_END if ends_project else _LOCK_PROJECT, project) is None:
        raise ProjectNotFoundError
    if recheck is not None:
        await recheck(session)
    role = await session.scalar(_OPEN_SCOPE, {"principal": str(opened.principal), **project})
    return sealed_scope(ExclusiveScope, opened.project_id, opened.principal, role)


async def keep_out(session: AsyncSession, scope: ExclusiveScope, principal: Principal) -> None:
    """Waits for the current writers of this principal, then admits none of them until the commit.

    Call it before changing the row that gives them access: new writers could otherwise delay that lock forever.
    """
    await _keep_out(session, scope.project_id, str(principal))


async def _keep_out(session: AsyncSession, project_id: UUID, principal: str) -> None:
    await session.execute(_LOCK_EXCLUSIVE, {"principal": principal, "project_id": project_id})
