from __future__ import annotations

from typing import Final

CANDIDATES: Final = 200
"""How many chunks each half of a search contributes."""

WIDER: Final = 5
"""How many times more, where one document's chunks crowd out the others."""

MAX_QUERY_CHARACTERS: Final = 1_000

QUERY_TOKENS: Final = 128
QUERY_TERMS: Final = 128
"""Tokens of a query that are looked up, and the terms that they become in all languages of the project."""

K1: Final = 1.2
B: Final = 0.75
"""BM25's usual parameters; tuning them on the SciFact train queries gained nothing."""

LONGEST_TERM: Final = 255
"""In bytes. What is longer is no word, and an index row has no place for it."""

DIMENSIONS: Final = (256, 384, 768, 1024, 1536, 3072)
"""One table each: an index has a fixed dimension, and only a migration can make one."""

EXACT_CHUNKS: Final = 10_000
"""A project up to this size compares with every vector; a larger one enters the shared HNSW index."""

PROMOTED_AT_ONCE: Final = 51_200
"""Dimensions of the vectors that enter the HNSW index in one transaction: 200 vectors of 256 dimensions."""

CHUNKS_AT_ONCE: Final = 200
"""Chunks that are embedded and written in one transaction, which takes some tenths of a second."""

BYTES_AT_ONCE: Final = 128 * 1024
"""Documents are taken together up to that much text; a larger one is taken alone, as the database knows too."""

DOCUMENTS_AT_ONCE: Final = 100

DEFAULT_CONFIGURATION: Final = "english"
PLAIN_CONFIGURATION: Final = "partywall_plain"
"""Folds case and accents and stems nothing: for every language that PostgreSQL has no stemmer for."""

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

# Invisible characters: soft hyphens, joiners, marks of direction, variants. A zero-width space separates words.
_INVISIBLE: Final = "".join(
    f"\\u{code:04X}"
    for code in (0x200B, 0xAD, 0x61C, 0x180E, 0x200C, 0x200D, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060,
                 *range(0x2066, 0x206A), 0xFE0E, 0xFE0F, 0xFEFF)
)  # fmt: skip


# What NFKC makes letters and digits of, and a word may stand beside: `liability¹`, `Windows™`, `½`, `①`, `№`, `Ⅳ`.
_MARKS: Final = r"\u00AA\u00B2\u00B3\u00B9\u00BA\u00BC-\u00BE\u2070-\u209C\u2100-\u218B\u2460-\u24FF\u3200-\u33FF"
# Han, kana and hangul: written without blanks, or as endings of words of another script.
_EAST_ASIAN: Final = (
    r"\u2E80-\u2FDF\u3005-\u3007\u3041-\u30FF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uAC00-\uD7AF\uF900-\uFAFF"
    r"\uFF66-\uFF9F"
)
_APART: Final = f"[{_MARKS}]+|[{_EAST_ASIAN}]+"


def visible(text: str) -> str:
    """SQL: the text as it is cut into words.

    Without invisible characters, ligatures and wide forms; marks such as `™` and runs of East Asian script stand apart
    from the letters beside them.
    """
    shown = f"translate({text}, E'{_INVISIBLE}', ' ')"
    return f"normalize(regexp_replace({shown}, E'{_APART}', ' \\& ', 'g'), NFKC)"
