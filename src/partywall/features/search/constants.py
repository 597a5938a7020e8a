"""Limits of indexing and search, and the form in which text is indexed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Breadth:
    """How many chunks each half of a search (text, vectors) looks at, best first, and what it keeps of them."""

    looked_at: int
    of_document: int
    candidates: int


CANDIDATES: Final = 200
NARROW: Final = Breadth(CANDIDATES, CANDIDATES, CANDIDATES)
MORE: Final = Breadth(1_000, 1_000, 1_000)
WIDE: Final = Breadth(20_000, 3, 1_000)
"""When the first ones belong to too few documents: more chunks than four documents of the largest size have."""

FOLDED_AT_ONCE: Final = 50
"""The best passages whose documents' texts are compared first; the others only if too few of these differ."""

MOST_DUPLICATES: Final = 20
"""Ids of documents with the same text that a hit names."""

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
"""Up to this size a search compares every vector of the project; larger projects use the shared HNSW index."""

PROMOTED_AT_ONCE: Final = 51_200
"""Dimensions added to the HNSW index in one transaction: 200 vectors of 256 dimensions."""

CHUNKS_AT_ONCE: Final = 200
"""Chunks embedded and written in one transaction, which takes some tenths of a second."""

BYTES_AT_ONCE: Final = 128 * 1024
"""Documents are claimed together up to this size; a larger one alone. `document_pending_idx` has the same limit."""

DOCUMENTS_AT_ONCE: Final = 100

DEFAULT_CONFIGURATION: Final = "english"
PLAIN_CONFIGURATION: Final = "partywall_plain"
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

# Invisible characters: soft hyphens, joiners, marks of direction, variants. A zero-width space separates words.
_INVISIBLE: Final = "".join(
    f"\\u{code:04X}"
    for code in (0x200B, 0xAD, 0x61C, 0x180E, 0x200C, 0x200D, 0x200E, 0x200F, *range(0x202A, 0x202F), 0x2060,
                 *range(0x2066, 0x206A), 0xFE0E, 0xFE0F, 0xFEFF)
)  # fmt: skip


# NFKC turns these into letters and digits that would join the next word: `liability¹`, `Windows™`, `½`, `①`, `№`, `Ⅳ`.
_MARKS: Final = r"\u00AA\u00B2\u00B3\u00B9\u00BA\u00BC-\u00BE\u2070-\u209C\u2100-\u218B\u2460-\u24FF\u3200-\u33FF"
# Han, kana and hangul: written without spaces, or as endings of words in another script.
_EAST_ASIAN: Final = (
    r"\u2E80-\u2FDF\u3005-\u3007\u3041-\u30FF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uAC00-\uD7AF\uF900-\uFAFF"
    r"\uFF66-\uFF9F"
)
_APART: Final = f"[{_MARKS}]+|[{_EAST_ASIAN}]+"
# The sigma of a word's end, which lower case does not make of a capital.
_LAST_SIGMA: Final = r"[\u03A3\u03C3]\M"
# Without words of its own: a tag, which may contain slashes, and the start of a URL.
_MARKUP: Final = r"</?[A-Za-z][A-Za-z0-9-]*(\s[^<>]*)?/?>|\w+://"
# PostgreSQL takes `client/server` for the name of a file: one word, which ends at the first letter beyond ASCII.
_WITH_PARTS: Final = r"""(
    SELECT CASE WHEN shown LIKE '%/%' THEN concat_ws(' ', shown, (
        SELECT string_agg(translate(part, '/~', '  '), ' ')
        FROM regexp_split_to_table(regexp_replace(shown, '{markup}', ' ', 'g'), '[\s<>]+') AS part
        WHERE part LIKE '%/%'
    )) ELSE shown END
    FROM (SELECT {shown} OFFSET 0) AS normalised (shown)
)"""


def visible(text: str) -> str:
    """SQL that normalises a text before it is split into words.

    Removes invisible characters, ligatures and wide forms; separates marks such as `™` and runs of East Asian script
    from adjacent letters; writes a Greek word's last sigma in its own form. Words joined by slashes, such as
    `client/server`, stay whole, and their parts are added to the end of the text.
    """
    shown = f"translate({text}, E'{_INVISIBLE}', ' ')"
    shown = f"normalize(regexp_replace({shown}, E'{_APART}', ' \\& ', 'g'), NFKC)"
    shown = f"regexp_replace({shown}, '{_LAST_SIGMA}', E'\\u03C2', 'g')"
    return _WITH_PARTS.format(shown=shown, markup=_MARKUP)
