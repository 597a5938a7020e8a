"""What the API serves of every slice, and the one set of routes that demand no credential."""

from __future__ import annotations

from typing import Final

from partywall.core.http.routes import Routes
from partywall.features.accounts.routes import routes as accounts
from partywall.features.agents.routes import routes as agents
from partywall.features.api_keys.routes import routes as api_keys
from partywall.features.documents.routes import routes as documents
from partywall.features.live.routes import routes as live
from partywall.features.mcp.routes import routes as mcp
from partywall.features.projects.routes import routes as projects
from partywall.features.quotas.routes import routes as quotas
from partywall.features.search.routes import routes as search
from partywall.features.webhooks.routes import routes as webhooks

ROUTES: Final[tuple[Routes, ...]] = (
    accounts,
    projects,
    quotas,
    api_keys,
    live,
    webhooks,
    documents,
    search,
    agents,
    mcp,
)

# By the name of the endpoint function.
PUBLIC: Final = frozenset(
    {
        "healthz",
        "readyz",
        "register_account",
        "issue_token",
        "revoke_token",
        "verify_email",
        "get_jwks",
        "stream_events",
        "stream_run_events",
    }
)
