from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from partywall.features.documents.constants import LANGUAGE
from partywall.features.search.constants import CONFIGURATIONS, DEFAULT_CONFIGURATION, PLAIN_CONFIGURATION


def configuration_of(metadata: Mapping[str, JsonValue]) -> str:
    """A document's text search configuration, from the BCP 47 tag `language` in its metadata."""
    tag = metadata.get(LANGUAGE)
    if not isinstance(tag, str) or not tag.strip():
        return DEFAULT_CONFIGURATION
    primary = tag.strip().lower().replace("_", "-").partition("-")[0]
    return CONFIGURATIONS.get(primary, PLAIN_CONFIGURATION)
