"""The features of this repository. Each says in its `feature.py` what it contributes."""

from __future__ import annotations

from typing import Final

from partywall.core.feature import Feature
from partywall.features.accounts.feature import feature as accounts
from partywall.features.agents.feature import feature as agents
from partywall.features.api_keys.feature import feature as api_keys
from partywall.features.budgets.feature import feature as budgets
from partywall.features.documents.feature import feature as documents
from partywall.features.live.feature import feature as live
from partywall.features.mcp.feature import feature as mcp
from partywall.features.projects.feature import feature as projects
from partywall.features.quotas.feature import feature as quotas
from partywall.features.runs.feature import feature as runs
from partywall.features.search.feature import feature as search
from partywall.features.webhooks.feature import feature as webhooks

# A feature may import only those before it.
FEATURES: Final[tuple[Feature, ...]] = (
    accounts,
    projects,
    quotas,
    api_keys,
    live,
    webhooks,
    documents,
    search,
    agents,
    budgets,
    runs,
    mcp,
)
