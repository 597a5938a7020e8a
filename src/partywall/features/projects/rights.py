"""The rights of each role."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Final, Protocol

from partywall.core.errors import MissingRightError
from partywall.core.tenancy import PrincipalKind, ProjectScope, Role


class Right(StrEnum):
    PROJECT_READ = "project.read"
    PROJECT_UPDATE = "project.update"
    PROJECT_DELETE = "project.delete"
    PROJECT_TRANSFER = "project.transfer"
    MEMBER_READ = "member.read"
    MEMBER_MANAGE = "member.manage"
    OWNER_MANAGE = "owner.manage"
    INVITATION_MANAGE = "invitation.manage"
    KEY_MANAGE = "key.manage"
    DOCUMENT_READ = "document.read"
    DOCUMENT_WRITE = "document.write"
    EVENT_READ = "event.read"
    RUN_READ = "run.read"
    RUN_START = "run.start"
    RUN_DECIDE = "run.decide"
    BUDGET_MANAGE = "budget.manage"
    WEBHOOK_MANAGE = "webhook.manage"


_VIEW: Final = frozenset({Right.PROJECT_READ, Right.MEMBER_READ, Right.DOCUMENT_READ, Right.EVENT_READ, Right.RUN_READ})
_EDIT: Final = _VIEW | {Right.DOCUMENT_WRITE, Right.RUN_START, Right.RUN_DECIDE}
_ADMINISTER: Final = _EDIT | {
    Right.PROJECT_UPDATE, Right.MEMBER_MANAGE, Right.INVITATION_MANAGE, Right.KEY_MANAGE,
    Right.WEBHOOK_MANAGE, Right.BUDGET_MANAGE,
}  # fmt: skip

RIGHTS: Final[dict[Role, frozenset[Right]]] = {
    Role.VIEWER: _VIEW,
    Role.EDITOR: _EDIT,
    Role.ADMIN: _ADMINISTER,
    Role.OWNER: frozenset(Right),
    Role.SERVICE: _EDIT - {Right.RUN_DECIDE},
}

# API keys never have these rights. People decide about access, outgoing data, spending, agents' pending steps, and the
# project's existence.
FOR_USERS: Final = frozenset(
    {
        Right.PROJECT_DELETE, Right.PROJECT_TRANSFER, Right.MEMBER_MANAGE, Right.OWNER_MANAGE,
        Right.INVITATION_MANAGE, Right.KEY_MANAGE, Right.WEBHOOK_MANAGE,
        Right.BUDGET_MANAGE, Right.RUN_DECIDE,
    }
)  # fmt: skip


def roles_with(right: Right) -> list[Role]:
    """The roles that have a right, for SQL statements that check it themselves."""
    return [role for role, rights in RIGHTS.items() if right in rights]


def grantable(role: Role | None) -> frozenset[Role]:
    """The roles that `role` may give to others. Empty if it may give none, or if `role` is None (no member)."""
    rights = frozenset[Right]() if role is None else RIGHTS[role]
    if Right.MEMBER_MANAGE not in rights:
        return frozenset()
    given = {Role.ADMIN, Role.EDITOR, Role.VIEWER}
    return frozenset(given | {Role.OWNER} if Right.OWNER_MANAGE in rights else given)


class InScope(Protocol):
    @property
    def scope(self) -> ProjectScope: ...


def requires(right: Right) -> Callable[[InScope], None]:
    """The check `require` for the scope of an endpoint's `service`."""

    def check(service: InScope) -> None:
        require(service.scope, right)

    return check


def require(scope: ProjectScope, right: Right) -> None:
    """Raises MissingRightError if the scope's role lacks the right, or the right is for people and a key asks."""
    if right not in RIGHTS[scope.role] or (right in FOR_USERS and scope.principal.kind is not PrincipalKind.USER):
        raise MissingRightError(right.value)
