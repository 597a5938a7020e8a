"""Who acts, in which project, and what they may do there."""

from __future__ import annotations

from partywall.core.db.scopes import open_scope, open_shared_scope
from partywall.core.rights import require, requires
from partywall.core.tenancy import Principal, PrincipalKind, ProjectNotFoundError, ProjectScope, SharedScope

__all__ = [
    "Principal",
    "PrincipalKind",
    "ProjectNotFoundError",
    "ProjectScope",
    "SharedScope",
    "open_scope",
    "open_shared_scope",
    "require",
    "requires",
]
