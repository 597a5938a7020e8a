"""Generates text with the word frequencies of natural language, so that searches cost as much."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"
SYLLABLES = [consonant + vowel for consonant in CONSONANTS for vowel in VOWELS]
VOCABULARY = 20_000
COMMONEST_LEFT_OUT = 20  # the ranks of stop words, which search omits too
WORDS_IN_QUERY = 6


class Prose:
    """Documents and queries by Zipf's law, reproducible by seed."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._words = ["".join(parts) for parts in itertools.islice(itertools.product(SYLLABLES, repeat=3), VOCABULARY)]
        self._chance.shuffle(self._words)
        self._weights = list(itertools.accumulate(1 / (rank + COMMONEST_LEFT_OUT) for rank in range(VOCABULARY)))

    def document(self, number: int, length: int) -> dict[str, str]:
        """A document with `length` characters of text."""
        words = self._chance.choices(self._words, cum_weights=self._weights, k=length // 6)
        return {"title": f"Text {number}", "content": " ".join(words)[:length]}

    def query(self, documents: Sequence[dict[str, str]]) -> str:
        """Random words of one of the documents."""
        words = self._chance.choice(documents)["content"].split()[:-1]
        return " ".join(self._chance.sample(words, WORDS_IN_QUERY))
