"""Who may do what: the one table of rights."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from partywall.core.errors import MissingRightError
from partywall.core.tenancy import ProjectScope, Role


class Right(StrEnum):
    PROJECT_READ = "project.read"
    PROJECT_UPDATE = "project.update"
    PROJECT_DELETE = "project.delete"
    DOCUMENT_READ = "document.read"
    DOCUMENT_WRITE = "document.write"
    EVENT_READ = "event.read"


_VIEW: Final = frozenset({Right.PROJECT_READ, Right.DOCUMENT_READ, Right.EVENT_READ})
_EDIT: Final = _VIEW | {Right.DOCUMENT_WRITE}
_ADMINISTER: Final = _EDIT | {Right.PROJECT_UPDATE}

RIGHTS: Final[dict[Role, frozenset[Right]]] = {
    Role.VIEWER: _VIEW,
    Role.EDITOR: _EDIT,
    Role.ADMIN: _ADMINISTER,
    Role.OWNER: frozenset(Right),
    Role.SERVICE: _EDIT,
}


def roles_with(right: Right) -> list[Role]:
    """For a statement that checks the right itself, in the database."""
    return [role for role, rights in RIGHTS.items() if right in rights]


def require(scope: ProjectScope, right: Right) -> None:
    """Raises MissingRightError where the scope's role lacks the right."""
    if right not in RIGHTS[scope.role]:
        raise MissingRightError(right.value)
