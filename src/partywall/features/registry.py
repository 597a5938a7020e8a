"""The features of this repository. Each says in its `feature.py` what it contributes.

The list is not in the package's `__init__`: processes that read one text import one slice, and must stay small.
"""

from __future__ import annotations

from typing import Final

from partywall.core.feature import Feature
from partywall.features.accounts.feature import feature as _accounts
from partywall.features.agents.feature import feature as _agents
from partywall.features.api_keys.feature import feature as _api_keys
from partywall.features.audit.feature import feature as _audit
from partywall.features.budgets.feature import feature as _budgets
from partywall.features.documents.feature import feature as _documents
from partywall.features.identities.feature import feature as _identities
from partywall.features.live.feature import feature as _live
from partywall.features.mcp.feature import feature as _mcp
from partywall.features.projects.feature import feature as _projects
from partywall.features.quotas.feature import feature as _quotas
from partywall.features.runs.feature import feature as _runs
from partywall.features.search.feature import feature as _search
from partywall.features.webhooks.feature import feature as _webhooks

# A feature may import only those before it. The plain names are the packages.
FEATURES: Final[tuple[Feature, ...]] = (
    _accounts,
    _identities,
    _projects,
    _quotas,
    _api_keys,
    _live,
    _webhooks,
    _documents,
    _search,
    _agents,
    _budgets,
    _runs,
    _mcp,
    _audit,
)
