"""Agents that a feature declares, and what their tools get."""

from __future__ import annotations

from partywall.features.agents.definition import AgentDefinition, Limits
from partywall.features.agents.deps import Effects, ProjectDocuments, RunDeps
from partywall.features.agents.exceptions import NothingToWorkOnError, TryAgainError
from partywall.features.agents.schemas import AgentInput
from partywall.features.documents.schemas import DocumentQuery
from partywall.features.search.schemas import SearchQuery

__all__ = [
    "AgentDefinition",
    "AgentInput",
    "DocumentQuery",
    "Effects",
    "Limits",
    "NothingToWorkOnError",
    "ProjectDocuments",
    "RunDeps",
    "SearchQuery",
    "TryAgainError",
]
