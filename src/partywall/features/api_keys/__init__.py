from __future__ import annotations

from partywall.core.feature import Feature
from partywall.features.api_keys import models

feature = Feature(name="api_keys", routers=())

__all__ = ["feature", "models"]
