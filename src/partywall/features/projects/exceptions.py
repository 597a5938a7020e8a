from __future__ import annotations

from partywall.core.errors import NotAuthenticatedError
from partywall.core.tenancy import ProjectNotFoundError


class AccountGoneError(NotAuthenticatedError):
    """The token is valid, but its account has been disabled or erased."""


__all__ = ["AccountGoneError", "ProjectNotFoundError"]
