"""Dependencies and helpers of routes. Only routers and their dependencies import this module."""

from __future__ import annotations

from partywall.core.http.dependencies import (
    LockingProjectScopeDep,
    PersonDep,
    PrincipalDep,
    PrincipalReadSessionDep,
    PrincipalSessionDep,
    ProjectScopeDep,
    ReadProjectScopeDep,
    ReadSessionDep,
    ResourcesDep,
    ScopedReaderDep,
    ScopedWriterDep,
    SessionDep,
)
from partywall.core.http.idempotency import (
    IdempotencyKeyReusedError,
    RequestInProgressError,
)
from partywall.core.http.idempotent import idempotent
from partywall.core.http.pagination import CursorsDep
from partywall.core.http.problems import documented
from partywall.core.http.responses import IfMatch, IfNoneMatch, entity_tag, json_response, not_modified, unchanged

__all__ = [
    "CursorsDep",
    "IdempotencyKeyReusedError",
    "IfMatch",
    "IfNoneMatch",
    "LockingProjectScopeDep",
    "PersonDep",
    "PrincipalDep",
    "PrincipalReadSessionDep",
    "PrincipalSessionDep",
    "ProjectScopeDep",
    "ReadProjectScopeDep",
    "ReadSessionDep",
    "RequestInProgressError",
    "ResourcesDep",
    "ScopedReaderDep",
    "ScopedWriterDep",
    "SessionDep",
    "documented",
    "entity_tag",
    "idempotent",
    "json_response",
    "not_modified",
    "unchanged",
]
