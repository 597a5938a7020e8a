from __future__ import annotations

from datetime import timedelta
from typing import Final

# How long revoked and expired keys are kept, so that a key named in a log or a document can be identified.
KEPT_FOR: Final = timedelta(days=90)
