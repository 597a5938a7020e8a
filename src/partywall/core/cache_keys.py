"""All keys and channels of the cache.

Names of project data are built from a `ProjectScope`, which proves access. Functions for all other names take no
project.
"""

from __future__ import annotations

import hashlib
from typing import Final, NewType

from partywall.core.tenancy import ProjectScope

CacheKey = NewType("CacheKey", str)

# Prefix of the attempt limiter's keys.
ATTEMPTS_PREFIX: Final = "partywall:attempts"

TICKETS_PREFIX: Final = "ticket:"

# Tells workers which projects have new events: ids only.
PROJECT_EVENTS: Final = CacheKey("partywall:events")

# Tells workers that there is a new job.
JOBS: Final = CacheKey("partywall:jobs")

# Announces revocations to processes that cache credentials for some seconds.
CREDENTIALS: Final = CacheKey("partywall:credentials")
TICKETS: Final = "ticket:*"


def events_channel(scope: ProjectScope) -> CacheKey:
    """The channel that announces new events of the project."""
    return _of_project(scope, "events")


def ticket(secret: str) -> CacheKey:
    """The key contains only the ticket's hash, so reading it does not give access. The value names the project."""
    return CacheKey(f"{TICKETS_PREFIX}{hashlib.sha256(secret.encode('utf-8', 'replace')).hexdigest()}")


def one_time(kind: str, secret: str) -> CacheKey:
    """The key contains only the secret's hash, so reading it does not give access. The value is encrypted."""
    return CacheKey(f"once:{kind}:{hashlib.sha256(secret.encode('utf-8', 'replace')).hexdigest()}")


def worker_delay(work: bytes) -> CacheKey:
    """A worker's report that it is behind. `work` is the hash of a project; the value is two numbers."""
    return CacheKey(f"delay:{work.hex()}")


def request_claim(request: bytes) -> CacheKey:
    """`request` is the hash of principal, project, route and Idempotency-Key."""
    return CacheKey(f"claim:{request.hex()}")


def _of_project(scope: ProjectScope, kind: str) -> CacheKey:
    if not isinstance(scope, ProjectScope):
        raise TypeError("a key of project data is built from a ProjectScope")
    return CacheKey(f"proj:{scope.project_id}:{kind}")
