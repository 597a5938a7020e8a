from __future__ import annotations

from partywall.adapters.embedded.endpoints import (
    SERVE_LOCK,
    Endpoints,
    embedded_engines,
    forget_endpoints,
    running_endpoints,
)
from partywall.adapters.embedded.engine import EmbeddedEngine
from partywall.adapters.embedded.errors import DirectoryHeld, EngineError
from partywall.adapters.embedded.home import open_home
from partywall.adapters.embedded.lock import DirectoryLock
from partywall.adapters.embedded.postgres import EmbeddedPostgres
from partywall.adapters.embedded.valkey import EmbeddedValkey

__all__ = [
    "SERVE_LOCK",
    "DirectoryHeld",
    "DirectoryLock",
    "EmbeddedEngine",
    "EmbeddedPostgres",
    "EmbeddedValkey",
    "Endpoints",
    "EngineError",
    "embedded_engines",
    "forget_endpoints",
    "open_home",
    "running_endpoints",
]
