"""All tables of the core and the slices."""

from __future__ import annotations

from typing import Final

from partywall.core import models
from partywall.features.accounts import models as accounts
from partywall.features.api_keys import models as api_keys
from partywall.features.budgets import models as budgets
from partywall.features.documents import models as documents
from partywall.features.projects import models as projects
from partywall.features.quotas import models as quotas
from partywall.features.runs import models as runs
from partywall.features.search import models as search
from partywall.features.webhooks import models as webhooks

SLICES: Final = (accounts, api_keys, budgets, documents, projects, quotas, runs, search, webhooks)
METADATA: Final = models.METADATA

__all__ = ["METADATA", "SLICES"]
