"""SentencePiece's unigram model: the most probable pieces of each word.

The pieces are mapped from a file. The `tokenizers` library would take 250 MB in each process for XLM-RoBERTa's 250,000.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final
from zlib import crc32

import numpy as np

from partywall.adapters.embeddings.mapped_tensors import Tensor

_BEGINNING: Final = "\u2581"  # stands for the space before a word
_LONGEST_PIECE: Final = 16  # characters
_WORDS: Final = 16_384
_LONGEST_KEPT: Final = 32
# Worse than any piece, so that only characters without a piece are unknown.
_UNKNOWN_SCORE: Final = 10.0
_EMPTY: Final = -1

# SentencePiece's normalisation is NFKC, except for these.
_TILDE: Final = "\uff5e"
_REMOVED: Final = (*range(0x01, 0x09), 0x0B, *range(0x0E, 0x20), 0x7F, 0x8F, 0x9F)
_SPACES: Final = (
    *(0x09, 0x0A, 0x0C, 0x0D, 0x1680, *range(0x200B, 0x2010)),
    *(0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD),
)
_CHANGED: Final = dict.fromkeys(_REMOVED, "") | dict.fromkeys(_SPACES, " ")


def normalised(text: str) -> str:
    parts = text.translate(_CHANGED).split(_TILDE)
    return _TILDE.join(unicodedata.normalize("NFKC", part) for part in parts)


class UnigramTokenizer:
    """Takes linear time for any text. No text gives the control tokens, which are not in the table."""

    def __init__(self, tensors: dict[str, Tensor], *, unknown: int) -> None:
        self._pieces = memoryview(tensors["pieces"])
        self._offsets = memoryview(tensors["piece_offsets"])
        self._scores = memoryview(tensors["piece_scores"])
        self._table = memoryview(tensors["piece_table"])
        self._unknown = unknown
        self._unknown_score = float(tensors["piece_scores"].min()) - _UNKNOWN_SCORE
        self._kept: Callable[[str], Sequence[int]] = lru_cache(_WORDS)(self._of_word)

    def encode(self, text: str, most: int) -> list[int]:
        """At most this many tokens, from the beginning of the text."""
        found: list[int] = []
        for word in normalised(text).split():
            piece = f"{_BEGINNING}{word[: most * _LONGEST_PIECE]}"
            found += self._kept(piece) if len(piece) <= _LONGEST_KEPT else self._of_word(piece)
            if len(found) >= most:
                break
        return found[:most]

    def _of_word(self, word: str) -> Sequence[int]:
        """The pieces with the highest sum of scores (Viterbi)."""
        data = word.encode("utf-8", "replace")
        ends = [index for index, byte in enumerate(data) if byte & 0xC0 != 0x80] + [len(data)]
        last = len(ends) - 1
        best, origin, token = [0.0] + [-np.inf] * last, [0] * (last + 1), [self._unknown] * (last + 1)
        for start in range(last):
            for end in range(start + 1, min(last, start + _LONGEST_PIECE) + 1):
                number = self._find(data[ends[start] : ends[end]])
                if number == _EMPTY and end > start + 1:
                    continue
                score = best[start] + (self._unknown_score if number == _EMPTY else self._scores[number])
                if score > best[end]:
                    best[end], origin[end], token[end] = score, start, self._unknown if number == _EMPTY else number
        found = []
        while last:
            found.append(token[last])
            last = origin[last]
        return found[::-1]

    def _find(self, piece: bytes) -> int:
        slot, mask = crc32(piece), len(self._table) - 1
        while (number := self._table[slot & mask]) != _EMPTY:
            if self._pieces[self._offsets[number] : self._offsets[number + 1]] == piece:
                return number
            slot += 1
        return _EMPTY


def piece_table(pieces: Sequence[bytes], control: Sequence[int]) -> Tensor:
    """A hash table with linear probing, without the pieces at the places in `control`."""
    size = 1 << (2 * len(pieces) - 1).bit_length()
    table = np.full(size, _EMPTY, dtype=np.int32)
    for number, piece in enumerate(pieces):
        if number not in control:
            slot = crc32(piece)
            while table[slot % size] != _EMPTY:
                slot += 1
            table[slot % size] = number
    return table
