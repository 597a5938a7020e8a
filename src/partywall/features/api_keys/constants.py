from __future__ import annotations

from datetime import timedelta
from typing import Final

# Revoked and expired ones are kept for so long, to say whose key a log line or a document names.
KEPT_FOR: Final = timedelta(days=90)
