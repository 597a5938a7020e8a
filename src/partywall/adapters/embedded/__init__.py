from __future__ import annotations

from partywall.adapters.embedded.errors import DirectoryHeld, EngineError
from partywall.adapters.embedded.postgres import EmbeddedPostgres
from partywall.adapters.embedded.valkey import EmbeddedValkey

__all__ = ["DirectoryHeld", "EmbeddedPostgres", "EmbeddedValkey", "EngineError"]
