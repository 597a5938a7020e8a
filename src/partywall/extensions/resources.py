from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from partywall.core.feature import Feature
from partywall.core.resources import Resources
from partywall.extensions.sections import feature_sections
from partywall.features.search.question import document_search


def with_features(resources: Resources, features: Sequence[Feature]) -> Resources:
    """The resources with what the code of installed features may use."""
    return replace(resources, sections=feature_sections(features), document_search=document_search(resources))
