"""The jobs and schedules of all slices."""

from __future__ import annotations

from typing import Final

from partywall.core.jobs.work import Work
from partywall.features.accounts.work import work as accounts
from partywall.features.api_keys.work import work as api_keys
from partywall.features.documents.work import work as documents
from partywall.features.live.work import work as live
from partywall.features.projects.work import work as projects
from partywall.features.runs.work import work as runs
from partywall.features.search.work import work as search
from partywall.features.webhooks.work import work as webhooks

WORK: Final[tuple[Work, ...]] = (
    accounts,
    projects,
    api_keys,
    live,
    webhooks,
    documents,
    search,
    runs,
)
