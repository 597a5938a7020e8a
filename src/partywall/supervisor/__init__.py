from __future__ import annotations

from partywall.adapters.embedded import Endpoints, EngineError, embedded_engines
from partywall.supervisor.options import ServeOptions
from partywall.supervisor.serve import serve

__all__ = ["Endpoints", "EngineError", "ServeOptions", "embedded_engines", "serve"]
