"""Every key and channel of the cache, in one place.

What belongs to a project is named from its `ProjectScope`: without the proof that the caller may enter there is no
name. What belongs to no project is named here too, by functions that know none.
"""

from __future__ import annotations

import hashlib
from typing import Final, NewType

from partywall.core.tenancy import ProjectScope

CacheKey = NewType("CacheKey", str)

# What the limiter of attempts puts before its own keys, which name whatever it counts.
ATTEMPTS_PREFIX: Final = "partywall:attempts"

TICKETS_PREFIX: Final = "ticket:"

# Which projects have news, for the workers: their ids, and nothing of what it is.
PROJECT_EVENTS: Final = CacheKey("partywall:news")

# There is a new job, for the workers.
JOBS: Final = CacheKey("partywall:jobs")

# What was revoked, for the processes that believe credentials for some seconds.
CREDENTIALS: Final = CacheKey("partywall:credentials")
# Every ticket, as a pattern.
TICKETS: Final = "ticket:*"


def events_channel(scope: ProjectScope) -> CacheKey:
    """Says that the project has news."""
    return _of_project(scope, "events")


def ticket(secret: str) -> CacheKey:
    """Whoever can read the key cannot use it: it holds the hash of the ticket alone. The value names the project."""
    return CacheKey(f"{TICKETS_PREFIX}{hashlib.sha256(secret.encode('utf-8', 'replace')).hexdigest()}")


def request_claim(request: bytes) -> CacheKey:
    """`request` is the hash of who asks, for which project and route, and under which Idempotency-Key."""
    return CacheKey(f"claim:{request.hex()}")


def _of_project(scope: ProjectScope, kind: str) -> CacheKey:
    if not isinstance(scope, ProjectScope):
        raise TypeError("a key of project data is built from a ProjectScope")
    return CacheKey(f"proj:{scope.project_id}:{kind}")
