from __future__ import annotations

from typing import Final

MAX_TITLE: Final = 500
MAX_EXTERNAL_ID: Final = 512  # a PostgreSQL index key has at most 2704 bytes
MAX_FILE_NAME: Final = 255
MAX_CONTENT_BYTES: Final = 10 * 1024 * 1024
MAX_METADATA_BYTES: Final = 64 * 1024
MAX_BATCH: Final = 500
MAX_INDEX_ERROR: Final = 1000
INLINE_BYTES: Final = 512 * 1024  # larger work takes more than a few milliseconds, so it runs in a thread
PIECE_BYTES: Final = 1024 * 1024
HEAD_BYTES: Final = 64 * 1024
LANGUAGE: Final = "language"  # the metadata key that says how a document's words are indexed
CHARSET: Final = "charset"  # the metadata key that names the encoding of an uploaded text that is not UTF-8
LARGEST_BLANK: Final = 1024  # bytes; longer texts are not checked for being blank
PLAIN_TEXT: Final = "text/plain"
LARGEST_INLINE_PAGE: Final = 32 * 1024
# The `index_error` of an uploaded file while a worker has yet to read its text.
READING: Final = "reading: The file's text is being read."
