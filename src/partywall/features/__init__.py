"""The slices, in one explicit list, and the one set of routes that demand no credential."""

from __future__ import annotations

from typing import Final

from partywall.core import models
from partywall.core.feature import Feature
from partywall.features import accounts, agents, api_keys, documents, live, mcp, projects, search, webhooks

FEATURES: Final[tuple[Feature, ...]] = (
    accounts.feature,
    projects.feature,
    api_keys.feature,
    live.feature,
    webhooks.feature,
    documents.feature,
    search.feature,
    agents.feature,
    mcp.feature,
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

# Every table that the core and the slices have declared by now.
METADATA: Final = models.METADATA

__all__ = ["FEATURES", "METADATA", "PUBLIC"]
