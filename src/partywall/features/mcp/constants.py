from __future__ import annotations

from typing import Final

# Characters of a document in one answer: unless asked for otherwise, and at most.
PAGE_CHARACTERS: Final = 20_000
MOST_CHARACTERS: Final = 100_000
# Seconds that one call waits for a run: clients and proxies give a call up after a minute.
WAIT_SECONDS: Final = 30
LONGEST_WAIT_SECONDS: Final = 50
# So many of what a client says it accepts are looked at.
MOST_MEDIA_RANGES: Final = 50
