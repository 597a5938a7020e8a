"""Polls the progress of indexing in a project."""

from __future__ import annotations

import time
from collections.abc import Iterator

from pydantic import BaseModel, ConfigDict

from partywall.client.api import Api

POLL_SECONDS = 0.5


class IndexCounts(BaseModel):
    model_config = ConfigDict(extra="ignore")

    pending: int
    indexed: int
    failed: int


class _Stats(BaseModel):
    model_config = ConfigDict(extra="ignore")

    by_index_status: IndexCounts


def index_progress(api: Api, project_id: str) -> Iterator[IndexCounts]:
    """Yields the counts every `POLL_SECONDS` until nothing is pending."""
    while True:
        answer = api.get(f"/projects/{project_id}/documents/stats")
        counts = _Stats.model_validate_json(answer).by_index_status
        yield counts
        if not counts.pending:
            return
        time.sleep(POLL_SECONDS)  # noqa: TID251 - the command has one thread
