"""What the command line needs of the embedded engines."""

from __future__ import annotations

from partywall.adapters.embedded import Endpoints, EngineError, embedded_engines

__all__ = ["Endpoints", "EngineError", "embedded_engines"]
