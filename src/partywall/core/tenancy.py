"""Proof of access: a `ProjectScope` exists only after the database has granted its principal access."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field
from enum import StrEnum
from typing import Final
from uuid import UUID

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
    """Proof that `principal` may open `project_id` with `role`. Reads take it; only `sealed_scope` makes it."""

    project_id: UUID
    principal: Principal
    role: Role
    seal: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.seal is not _SEAL:
            raise TypeError("only core.tenancy creates a ProjectScope")


@dataclass(frozen=True, slots=True)
class UnlockedScope(ProjectScope):
    """Opened in a transaction that holds no lock of the project: it may still get an `ExclusiveScope`."""


@dataclass(frozen=True, slots=True)
class SharedScope(ProjectScope):
    """For ordinary writers: project and membership do not end before the transaction does."""


@dataclass(frozen=True, slots=True)
class ExclusiveScope(ProjectScope):
    """For changes of access, and for ending a project: the transaction is the only one that makes such a change."""


type LockedScope = SharedScope | ExclusiveScope


def make_scope(project_id: UUID, principal: Principal, role: str | None) -> ProjectScope:
    """The scope for a role that `wall.open_scope` returned; raises ProjectNotFoundError for None."""
    return sealed_scope(ProjectScope, project_id, principal, role)


def sealed_scope[S: ProjectScope](kind: type[S], project_id: UUID, principal: Principal, role: str | None) -> S:
    if role is None:
        raise ProjectNotFoundError
    return kind(project_id, principal, Role(role), _SEAL)
