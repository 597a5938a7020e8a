"""Operator commands: show, set and clear the quotas of a project or account, and recount projects' usage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.errors import InvalidInputError, NotFoundError
from partywall.core.field_errors import FieldCode
from partywall.features.quotas.operator_repository import QuotaOperator
from partywall.features.quotas.owners import Owner

OF_ACCOUNTS: Final = frozenset({"projects"})
OF_PROJECTS: Final = frozenset(
    {"documents", "bytes", "passages", "versions_per_document", "keys", "webhooks", "members", "runs", "budget",
     "spending"}
)  # fmt: skip
_IN_DOLLARS: Final = frozenset({"budget", "spending"})
_AT_LEAST_ONE: Final = frozenset({"versions_per_document", "members"})
LARGEST: Final = 10**15


class OwnerNotFoundError(NotFoundError):
    code = "owner_not_found"
    title = "No such project or account"


@dataclass(frozen=True, slots=True)
class Limit:
    """`own`: an operator has set it for this project or account. `most` is None for no limit."""

    most: Decimal | None
    own: bool


def valid_limit(quota: str, most: Decimal | None) -> Decimal | None:
    """Return the limit, or raise InvalidInputError if the quota cannot have it."""
    if most is None:
        return None
    least = 1 if quota in _AT_LEAST_ONE else 0
    if not most.is_finite() or not least <= most <= LARGEST:
        message = f"{quota} must be a number from {least} to {LARGEST}, or unlimited"
        raise InvalidInputError("/limit", FieldCode.OUT_OF_RANGE, message)
    if quota not in _IN_DOLLARS and most != most.to_integral_value():
        raise InvalidInputError("/limit", FieldCode.BAD_NUMBER, f"{quota} must be a whole number, or unlimited")
    return most


async def limits_of(session: AsyncReadSession, owner: Owner) -> Mapping[str, Limit]:
    """The limits of all the owner's quotas. Raises OwnerNotFoundError."""
    repository = QuotaOperator(session)
    if not await repository.exists(owner):
        raise OwnerNotFoundError
    usual, own = await repository.defaults(), await repository.own(owner)
    names = sorted(OF_ACCOUNTS if owner.is_account else OF_PROJECTS)
    return {name: Limit(own[name] if name in own else usual.get(name), name in own) for name in names}


async def set_limit(session: AsyncSession, owner: Owner, quota: str, most: Decimal | None) -> None:
    """Set a limit. It applies from the next request; usage above it stays.

    Raises OwnerNotFoundError or InvalidInputError.
    """
    repository = QuotaOperator(session)
    if not await repository.exists(owner):
        raise OwnerNotFoundError
    await repository.set(owner, quota, valid_limit(quota, most))


async def clear_limits(session: AsyncSession, owner: Owner, quota: str | None) -> None:
    """Return to the defaults for one quota, or for all if `quota` is None. Raises OwnerNotFoundError."""
    repository = QuotaOperator(session)
    if not await repository.exists(owner):
        raise OwnerNotFoundError
    await repository.clear(owner, quota)


async def find_account(session: AsyncReadSession, email: str) -> UUID:
    """Raises OwnerNotFoundError."""
    found = await QuotaOperator(session).account(email)
    if found is None:
        raise OwnerNotFoundError
    return found


async def recount(session: AsyncSession, project_id: UUID) -> bool:
    """Recount a project's storage. Returns whether the stored count was wrong."""
    return await QuotaOperator(session).recount(project_id)


async def projects(session: AsyncReadSession, named: UUID | None) -> list[UUID]:
    """All projects, or only the named one. Raises OwnerNotFoundError."""
    repository = QuotaOperator(session)
    if named is None:
        return await repository.projects()
    if not await repository.exists(Owner(named)):
        raise OwnerNotFoundError
    return [named]
