"""How much of a query a passage has as it was asked: the same words next to each other, in the same order.

Stop words count here too: "watering can" is more than a text about water.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self

from partywall.features.search.characters import BREAK, MARKS, folded, plain
from partywall.features.search.markup import without_markup
from partywall.features.search.tokens import tokens

_MOST_CHARACTERS: Final = 4_000
"""Of a passage: the longest, with its title and its heading, has fewer."""
_COMPARED: Final = 6
"""Words that begin with the same letters are taken for the same: stemming every word of a passage costs too much."""
_LETTERS: Final = 2 * _COMPARED  # of a word that has accents as characters of their own

_WORD: Final = re.compile(rf"[^\W_]++(?:[{MARKS}{BREAK}]++[^\W_]*+)*+")
# The same for ASCII, and quicker: what is no letter or digit becomes a space.
_ASCII: Final = bytes(ord(chr(code).lower() if chr(code).isalnum() else " ") for code in range(128)).ljust(256)


@dataclass(frozen=True, slots=True)
class Phrases:
    """The pairs of neighbouring words in a query, each with the mean of their information."""

    weights: Mapping[tuple[str, str], float]
    whole: float

    @classmethod
    def of(cls, query: str, information: Mapping[str, float]) -> Self:
        """Takes how rare each token of the query is; a stop word has 0."""
        words = list[tuple[str, float]]()
        for token in tokens(query):
            parts = _words(token)
            words += [(part, information.get(token, 0.0) / len(parts)) for part in parts]
        weights = {(one, other): (first + second) / 2 for (one, first), (other, second) in pairwise(words)}
        weights = {pair: weight for pair, weight in weights.items() if weight > 0}
        return cls(weights, sum(weights.values()))

    def share(self, text: str) -> float:
        """The share of the query's pairs that a text has, within 0..1. Takes about 0.05 ms."""
        found = {pair for pair in pairwise(_words(text[:_MOST_CHARACTERS])) if pair in self.weights}
        return sum(weight for pair, weight in self.weights.items() if pair in found) / self.whole if found else 0.0


def _words(text: str) -> list[str]:
    """The beginnings of the words, without case and accents."""
    text = without_markup(text)
    if text.isascii():
        return [word[:_COMPARED] for word in text.encode().translate(_ASCII).decode().split()]
    return [_beginning(word) for word in _WORD.findall(text.lower())]


def _beginning(word: str) -> str:
    return word[:_COMPARED] if word.isascii() else folded(plain(word[:_LETTERS]))[:_COMPARED]
