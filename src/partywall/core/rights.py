"""Rights in a project. Every feature declares its own; a right knows the roles that have it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from partywall.core.errors import MissingRightError
from partywall.core.tenancy import PrincipalKind, ProjectScope, Role

# From the least to the most.
_RANKS: Final = (Role.VIEWER, Role.EDITOR, Role.ADMIN, Role.OWNER)
# What the project's own worker may do at most.
_SERVICE: Final = Role.EDITOR


@dataclass(frozen=True, slots=True)
class Right:
    """A right such as `document.read`, and what it allows, in words for people.

    The role `least` and all above it have the right. API keys never have one that is `for_people`: people decide about
    access, outgoing data, spending, agents' pending steps, and the project's existence.
    """

    name: str
    allows: str
    least: Role
    for_people: bool = False
    roles: tuple[Role, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        rank = _RANKS.index(self.least)
        service = rank <= _RANKS.index(_SERVICE) and not self.for_people
        object.__setattr__(self, "roles", (*_RANKS[rank:], *((Role.SERVICE,) if service else ())))

    def __str__(self) -> str:
        return self.name


class InScope(Protocol):
    """A service that works in a scope."""

    @property
    def scope(self) -> ProjectScope: ...


def requires(right: Right) -> Callable[[InScope], None]:
    """The check `require` for the scope of an endpoint's `service`."""

    def check(service: InScope) -> None:
        require(service.scope, right)

    return check


def require(scope: ProjectScope, right: Right) -> None:
    """Raises MissingRightError if the scope's role lacks the right, or the right is for people and a key asks."""
    if scope.role not in right.roles or (right.for_people and scope.principal.kind is not PrincipalKind.USER):
        raise MissingRightError(right.name)
