from __future__ import annotations

from datetime import timedelta
from typing import Final

# Keys in force; whoever needs more wants one key for each customer, and should make projects.
MAX_KEYS: Final = 100
# Revoked and expired ones are kept for so long, to say whose key a log line or a document names.
KEPT_FOR: Final = timedelta(days=90)
