from __future__ import annotations

from partywall.core.feature import Feature
from partywall.features.documents import models

feature = Feature(
    name="documents",
    events=("document.created", "document.updated", "document.deleted", "document.indexed", "document.failed"),
)

__all__ = ["feature", "models"]
