"""The characters that words consist of, and the plain form of a word."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

# NFKC turns these into letters and digits that would join the next word: `liability¹`, `Windows™`, `½`, `①`, `№`, `Ⅳ`.
SYMBOLS: Final = r"\u00AA\u00B2\u00B3\u00B9\u00BA\u00BC-\u00BE\u2070-\u209C\u2100-\u218B\u2460-\u24FF\u3200-\u33FF"

# Written without spaces, or with endings that join words: Thai, Lao, Burmese, Khmer, Han, kana and hangul, without
# their digits and punctuation.
UNSPACED: Final = (
    r"\u0E01-\u0E3A\u0E40-\u0E4E\u0E81-\u0ECE\u0EDC-\u0EDF\u1000-\u103F\u1050-\u108F\u109A-\u109F\u1100-\u11FF"
    r"\u1780-\u17D3\u17D7\u17DC\u17DD\u2E80-\u2FDF\u3005-\u3007\u3031-\u3035\u3041-\u309F\u30A1-\u30FA\u30FC-\u30FF"
    r"\u3105-\u312F\u3131-\u318E\u31A0-\u31BF\u31F0-\u31FF\u3400-\u4DBF\u4E00-\u9FFF\uA960-\uA97C\uA9E0-\uA9FE"
    r"\uAA60-\uAA7F\uAC00-\uD7FB\uF900-\uFAFF\uFF66-\uFFDC\U00020000-\U0003FFFF"
)

# Without a meaning of their own inside a word: soft hyphens, joiners, marks of direction, variants.
_INVISIBLE: Final = (
    0xAD, 0x61C, 0x180E, *range(0x200C, 0x2010), *range(0x202A, 0x202F), 0x2060, *range(0x2066, 0x206A),
    *range(0xFE00, 0xFE10), 0xFEFF,
)  # fmt: skip
# The blocks that contain combining marks.
_MARKED_BLOCKS: Final = ((0x300, 0x370), (0x483, 0x1B00), (0x1B00, 0x2100), (0xA66F, 0xAC00), (0xFB1E, 0xFB1F))


def _marks(unicode_categories: tuple[str, ...] = ("Mn", "Mc")) -> Iterator[int]:
    for first, last in (*_MARKED_BLOCKS, (0xFE20, 0xFE30)):
        yield from (code for code in range(first, last) if unicodedata.category(chr(code)) in unicode_categories)


def _ranges(codes: Iterable[int]) -> str:
    """The inside of a character class."""
    ranges: list[list[int]] = []
    for code in sorted(set(codes)):
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"\\u{first:04X}-\\u{last:04X}" for first, last in ranges)


MARKS: Final = _ranges(chain(_marks(), _INVISIBLE))
"""What may follow a letter inside a word, besides letters and digits."""

BREAK: Final = "\u200b"
"""The space without width: a line may end there. It separates the words of Khmer, Thai and Burmese."""
INVISIBLE: Final = re.compile(f"[{_ranges((*_INVISIBLE, ord(BREAK)))}]++")

# Arabic and Hebrew are read without their vowel signs, and the tatweel only stretches a word.
_VOWEL_SIGNS: Final = (
    0x640, 0x670, *range(0x610, 0x61B), *range(0x64B, 0x660), *range(0x6D6, 0x6DD), *range(0x6DF, 0x6E5), 0x6E7, 0x6E8,
    *range(0x6EA, 0x6EE), *range(0x591, 0x5BE), 0x5BF, 0x5C1, 0x5C2, 0x5C4, 0x5C5, 0x5C7,
)  # fmt: skip
# Persian letters in their Arabic form; digits of other scripts as ASCII digits.
_PLAIN: Final = dict.fromkeys((*_INVISIBLE, ord(BREAK), *_VOWEL_SIGNS)) | {0x6A9: "\u0643", 0x6CC: "\u064a"}
_ZEROS: Final = (
    0x660,
    0x6F0,
    0x966,
    0x9E6,
    0xA66,
    0xAE6,
    0xB66,
    0xBE6,
    0xC66,
    0xCE6,
    0xD66,
    0xE50,
    0xED0,
    0xF20,
    0x1040,
    0x17E0,
)
_DIGITS: Final = {zero + value: str(value) for zero in _ZEROS for value in range(10)}
_TRANSLATED: Final = _PLAIN | _DIGITS
# To translate takes 0.2 us for each character of a text that is not ASCII.
_HAS_TRANSLATED: Final = re.compile(f"[{_ranges(_TRANSLATED)}]")

# Letters with a stroke and ligatures, which Unicode does not decompose.
_UNDECOMPOSED: Final = str.maketrans(
    {
        "ß": "ss",
        "æ": "ae",
        "œ": "oe",
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "ħ": "h",
        "\u0131": "i",
        "\u0451": "\u0435",
    }
)
_ACCENTS: Final = dict.fromkeys(range(0x300, 0x370))
_LAST_LATIN_OR_GREEK: Final = "\u03ff"


def plain(token: str) -> str:
    """In compatibility form (NFKC), without invisible characters, vowel signs and the tatweel; case is kept."""
    return token if token.isascii() else _translated(unicodedata.normalize("NFKC", _translated(token)))


def _translated(text: str) -> str:
    return text.translate(_TRANSLATED) if _HAS_TRANSLATED.search(text) else text


def lower(word: str) -> str:
    """In lower case; a Greek word's last sigma in its own form."""
    lowered = word.lower()
    if lowered.isascii():
        return lowered
    lowered = lowered.replace("i\u0307", "i")
    return lowered[:-1] + "\u03c2" if len(lowered) > 1 and lowered[-1] == "\u03c3" else lowered


def folded(word: str) -> str:
    """Without the accents of Latin and Greek letters."""
    if word.isascii():
        return word
    word = word.translate(_UNDECOMPOSED)
    if word[:1] > _LAST_LATIN_OR_GREEK and not "\u1e00" <= word[:1] <= "\u1fff":
        return word  # elsewhere a mark makes another letter
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", word).translate(_ACCENTS))
