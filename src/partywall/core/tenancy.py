"""Proof of access: a `ProjectScope` exists only after the database has granted its principal access."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import Boolean, Text, Uuid, bindparam, func, select

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.errors import NotFoundError
from partywall.core.tenant import Tenant


class PrincipalKind(StrEnum):
    USER = "user"
    KEY = "key"
    SERVICE = "service"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who acts. `str()` gives the form that the database binds: `user:<uuid>`.

    A service principal is a project's own worker: its id is the project's id, and it can open no other project.
    `tenant` is whose share its work uses: a key counts for the account that its project counts for.
    """

    kind: PrincipalKind
    id: UUID
    owner: InitVar[UUID | None] = None
    tenant: Tenant = field(init=False, repr=False, compare=False)
    _text: str = field(init=False, repr=False, compare=False)

    def __post_init__(self, owner: UUID | None) -> None:
        object.__setattr__(self, "_text", f"{self.kind.value}:{self.id}")
        object.__setattr__(self, "tenant", Tenant(self._text if owner is None else f"{PrincipalKind.USER}:{owner}"))

    def __str__(self) -> str:
        return self._text

    @classmethod
    def user(cls, user_id: UUID) -> Principal:
        return cls(PrincipalKind.USER, user_id)

    @classmethod
    def key(cls, key_id: UUID, owner: UUID | None = None) -> Principal:
        return cls(PrincipalKind.KEY, key_id, owner)

    @classmethod
    def service(cls, project_id: UUID) -> Principal:
        return cls(PrincipalKind.SERVICE, project_id)

    @classmethod
    def parse(cls, text: str) -> Principal:
        """The inverse of `str()`; raises ValueError."""
        kind, _, value = text.partition(":")
        return cls(PrincipalKind(kind), UUID(value))


class Role(StrEnum):
    OWNER = "owner"
    ADMIN = "admin"
    EDITOR = "editor"
    VIEWER = "viewer"
    SERVICE = "service"


class ProjectNotFoundError(NotFoundError):
    code = "project_not_found"
    title = "No such project"


_SEAL: Final = object()


@dataclass(frozen=True, slots=True)
class ProjectScope:
    """Proof that `principal` may open `project_id` with `role`; only this module creates it."""

    project_id: UUID
    principal: Principal
    role: Role
    seal: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.seal is not _SEAL:
            raise TypeError("only core.tenancy creates a ProjectScope")


def make_scope(project_id: UUID, principal: Principal, role: str | None) -> ProjectScope:
    """The scope for a role that `wall.open_scope` returned; raises ProjectNotFoundError for None."""
    if role is None:
        raise ProjectNotFoundError
    return ProjectScope(project_id, principal, Role(role), _SEAL)


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
