"""Test files that run without the coverage tracer, under which Python takes at least twice as long.

Other files cover what these run: a run with one context per file shows almost no line that one of these covers alone.
A new file is measured. The marker `unmeasured` elsewhere has the same reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
_NAMES: Final[Mapping[str, str]] = {
    "contract": "generated_clients logs openapi",
    "core/db": "session statement_counts wall",
    "core/http": "address_limiter answers charsets",
    "core/jobs": "mail_sender",
    "core/security": "attempts passwords tokens",
    "core": "field_errors memory",
    "e2e": "cli",
    "features/accounts": (
        "lockout repeated_registration registration revocations unknown_networks unconfirmed verification"
    ),
    "features/agents/builtin": "document_pages",
    "features/api_keys": "scope",
    "features/documents": "blobs changes fast_path_statements large_answers lists",
    "features/live": "limits router service shares streams survival tickets",
    "features/mcp": "tools wall",
    "features/projects": "effects project_locks members policies rights",
    "features/quotas": "counts limits",
    "features/search": "bounds chunker documents fusion languages router service",
    "features/webhooks": "delivery failures fairness project_locks lock_order policies workers",
    "features/runs": "admission approval",
    "features/runs/execution": "interrupted_calls fallback_models",
    "proxies": "fronts pgbouncer",
}

FILES: Final = frozenset(
    _HERE / folder / f"test_{name}.py" for folder, names in _NAMES.items() for name in names.split()
)
