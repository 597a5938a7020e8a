from __future__ import annotations

from partywall.core.feature import Feature
from partywall.features.accounts import models

feature = Feature(name="accounts")

__all__ = ["feature", "models"]
