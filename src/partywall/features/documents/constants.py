from __future__ import annotations

from typing import Final

MAX_TITLE: Final = 500
MAX_EXTERNAL_ID: Final = 1000
MAX_CONTENT_BYTES: Final = 10 * 1024 * 1024
MAX_METADATA_BYTES: Final = 64 * 1024
MAX_BATCH: Final = 500
DOCUMENTS_PER_JOB: Final = 50
MAX_INDEX_ERROR: Final = 1000
