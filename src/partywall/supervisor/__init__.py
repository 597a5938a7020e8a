from __future__ import annotations

from partywall.supervisor.options import ServeOptions
from partywall.supervisor.serve import serve

__all__ = ["ServeOptions", "serve"]
