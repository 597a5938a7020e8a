"""All tables of the core and the slices."""

from __future__ import annotations

from typing import Final

from partywall.core import models
from partywall.features.accounts import models as accounts
from partywall.features.agents import models as agents
from partywall.features.api_keys import models as api_keys
from partywall.features.documents import models as documents
from partywall.features.projects import models as projects
from partywall.features.quotas import models as quotas
from partywall.features.search import models as search
from partywall.features.webhooks import models as webhooks

SLICES: Final = (accounts, agents, api_keys, documents, projects, quotas, search, webhooks)
METADATA: Final = models.METADATA

__all__ = ["METADATA", "SLICES"]
