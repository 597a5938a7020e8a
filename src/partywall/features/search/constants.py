"""Limits of indexing and search, and the languages of texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Breadth:
    """How many chunks each half of a search (text, vectors) looks at, best first, and what it keeps of them.

    `folds`: it looks at all, and of chunks with the same text only at the best one.
    """

    looked_at: int
    of_document: int
    candidates: int
    folds: bool = False


CANDIDATES: Final = 200
NARROW: Final = Breadth(CANDIDATES, CANDIDATES, CANDIDATES)
MATCHING: Final = Breadth(100, 100, 100)
"""The first ones behind a filter that keeps many: each is looked for among ten others."""
MORE: Final = Breadth(1_000, 1_000, 1_000)
WIDE: Final = Breadth(20_000, 3, 1_000)
"""When the first ones belong to too few documents: more chunks than four documents of the largest size have."""
DIFFERENT_CHUNKS: Final = Breadth(1_000, 1_000, 1_000, folds=True)
DIFFERENT: Final = Breadth(1_000, 3, 1_000, folds=True)
"""When all of these are copies of too few texts. Each chunk that is looked at takes about 0.005 ms."""

READ_FOR_PHRASES: Final = 12
"""So many of the best passages are read to compare the order of their words with that of the query."""

MOST_DUPLICATES: Final = 20
"""Ids of documents with the same text that a hit names."""

MOST_COUNTED: Final = 10_000
"""So many documents with the text of a hit are counted."""

MOST_COUNTED_TOGETHER: Final = 100_000
"""For all hits of an answer; each gets the same part."""

MAX_QUERY_CHARACTERS: Final = 1_000

QUERY_TOKENS: Final = 128
QUERY_TERMS: Final = 128
"""Limits of a query: its tokens, and the terms that these become in all languages of the project."""

LONGEST_TERM: Final = 255
"""In bytes. Longer terms are not words and do not fit into an index row."""

MOST_DIMENSIONS: Final = 4_000
"""What an HNSW index of half-precision vectors can hold."""

BUNDLED_DIMENSION: Final = 256
"""Of the bundled model: its HNSW index is part of the schema. `partywall migrate` creates others."""

EXACT_CHUNKS: Final = 10_000
"""Up to this size a search compares every vector of the project; larger projects use the shared HNSW index.

PostgreSQL plans the statements of a search in a larger project for it alone.
"""

PROMOTED_AT_ONCE: Final = 51_200
"""Dimensions added to the HNSW index in one transaction: 200 vectors of 256 dimensions."""

CHUNKS_AT_ONCE: Final = 200
"""Chunks embedded and written in one transaction, which takes some tenths of a second."""

BYTES_AT_ONCE: Final = 128 * 1024
"""Documents are claimed together up to this size; a larger one alone. `document_pending_idx` has the same limit."""

DOCUMENTS_AT_ONCE: Final = 100

DEFAULT_CONFIGURATION: Final = "english"
PLAIN_CONFIGURATION: Final = "simple"
"""Folds case and accents without stemming, for languages that PostgreSQL has no stemmer for."""

CONFIGURATIONS: Final = {
    "ar": "arabic",
    "ca": "catalan",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "et": "estonian",
    "eu": "basque",
    "fi": "finnish",
    "fr": "french",
    "ga": "irish",
    "hi": "hindi",
    "hu": "hungarian",
    "hy": "armenian",
    "id": "indonesian",
    "it": "italian",
    "lt": "lithuanian",
    "nb": "norwegian",
    "ne": "nepali",
    "nl": "dutch",
    "nn": "norwegian",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sr": "serbian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
    "yi": "yiddish",
}
"""PostgreSQL's text search configurations by the primary subtag of a BCP 47 language tag."""
