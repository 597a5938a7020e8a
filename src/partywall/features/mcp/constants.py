from __future__ import annotations

from typing import Final

# Characters of a document in one answer: default and maximum.
PAGE_CHARACTERS: Final = 20_000
MOST_CHARACTERS: Final = 100_000
# Seconds that one call waits for a run: clients and proxies time out after a minute.
WAIT_SECONDS: Final = 30
LONGEST_WAIT_SECONDS: Final = 50
# Further media ranges of an Accept header are ignored.
MOST_MEDIA_RANGES: Final = 50
