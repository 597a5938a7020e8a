"""Test files that run without the coverage tracer, under which Python takes at least twice as long.

Other files cover what these run. A run with one context per file shows for each of these at most five lines or branches
that it covers alone for a second that it takes under the tracer, and often none.
A new file is measured. The marker `unmeasured` elsewhere has the same reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).parent
_NAMES: Final[Mapping[str, str]] = {
    ".": "settings_bounds",
    "adapters/embeddings": "poison",
    "adapters/language_models": "usage",
    "client": "export_names",
    "commands": "blobs quotas unreachable",
    "contract": "generated_clients logs openapi",
    "core": "field_errors memory schemas",
    "core/db": "session statement_counts wall",
    "core/events": "listener log sequence",
    "core/http": "address_limiter answers charsets head health",
    "core/jobs": "job_requests limits mail_sender store",
    "core/json_schema": "limits metaschemas",
    "core/outgoing": "cookies",
    "core/security": "attempts passwords tokens",
    "e2e": "cli extension_tutorial hostile",
    "extensions": "checks policies",
    "features/accounts": (
        "failure_repository limits lockout refresh_form registration repeated_registration revocations unconfirmed "
        "unknown_networks verification"
    ),
    "features/agents/builtin": "citations document_pages",
    "features/api_keys": "scope",
    "features/budgets": "router",
    "features/documents": (
        "blobs changes content fast_path_statements file_reader index_queue large_answers large_changes lists "
        "service upload"
    ),
    "features/live": "blocked_writers limits router service shares streams survival tickets",
    "features/mcp": "other_clients tools wall",
    "features/projects": "effects invitation_mail members policies project_locks rights",
    "features/quotas": "counts limits router",
    "features/runs": "admission approval injection streams",
    "features/runs/execution": (
        "failures fallback_models garbage interrupted_calls run_job usage_forms wait_for_model worker_crash"
    ),
    "features/search": "bounds chunker documents fusion languages router service slow_servers",
    "features/webhooks": (
        "account_takeover cookies delivery failures fairness lock_order policies project_locks workers"
    ),
    "formats": "markdown_title",
    "proxies": "fronts pgbouncer",
}

FILES: Final = frozenset(
    _HERE / folder / f"test_{name}.py" for folder, names in _NAMES.items() for name in names.split()
)
