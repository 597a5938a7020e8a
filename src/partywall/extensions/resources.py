from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from partywall.core.feature import Feature
from partywall.core.resources import Resources
from partywall.extensions.agents import declared_agents
from partywall.extensions.sections import feature_sections
from partywall.features.search.question import document_search


def with_features(resources: Resources, features: Sequence[Feature]) -> Resources:
    """The resources with the features' agents, and with what the code of installed features may use."""
    return replace(
        resources,
        agents=declared_agents(features),
        sections=feature_sections(features),
        document_search=document_search(resources),
    )
