"""Words with the frequencies of natural language, and topics that share words of like meaning.

The words are those of the bundled model's vocabulary, which are in the order of their frequency, and rare ones made of
two of its parts. So the vectors of the texts are the model's own, and have clusters as those of real texts do.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from partywall.adapters.embeddings.wordllama import WordLlamaEmbedder, load_wordllama

type Numbers = NDArray[np.int64]
type Floats = NDArray[np.float32]

WORDS: Final = 60_000
TOPICS: Final = 3_000
TOPIC_WORDS: Final = 200
# P(rank) ~ 1 / (rank + SHIFT) ** EXPONENT, the law of Zipf and Mandelbrot.
EXPONENT: Final = 1.05
SHIFT: Final = 2.7
# Words of a topic are chosen among these, so a topic is not about "the".
_FIRST_TOPICAL: Final = 200
_COMMON: Final = 9_000
_LAST_TOPICAL: Final = 15_000
_AT_ONCE: Final = 256


@dataclass(frozen=True, slots=True)
class Language:
    """`vectors` has the sum of the model's token vectors of each word; `topics` the numbers of each topic's words."""

    embedder: WordLlamaEmbedder
    words: list[str]
    vectors: Floats
    topics: Numbers
    frequencies: NDArray[np.float64]

    @property
    def model(self) -> str:
        return self.embedder.name

    def draw(self, chance: np.random.Generator, count: int) -> Numbers:
        """Words as often as the language has them."""
        return np.minimum(np.searchsorted(self.frequencies, chance.random(count)), len(self.words) - 1)

    def draw_of_topics(self, chance: np.random.Generator, topics: Numbers) -> Numbers:
        """A word of each of the topics."""
        place = (TOPIC_WORDS * chance.random(len(topics)) ** 2).astype(np.int64)
        return self.topics[topics, place]

    def tokens_of(self, texts: list[str]) -> Floats:
        """The sums of the token vectors of texts."""
        return token_sums(self.embedder, texts)


def open_language(seed: int) -> Language:
    chance = np.random.default_rng(seed)
    embedder = load_wordllama()
    words = _words(embedder, chance)
    vectors = np.concatenate([token_sums(embedder, words[at : at + 4096]) for at in range(0, len(words), 4096)])
    weights = np.cumsum(1 / np.power(np.arange(len(words)) + SHIFT, EXPONENT))
    return Language(embedder, words, vectors, _topics(vectors, chance), weights / weights[-1])


def token_sums(embedder: WordLlamaEmbedder, texts: list[str]) -> Floats:
    encodings = embedder.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
    ids = [np.asarray(each.ids, dtype=np.int64) for each in encodings]
    starts = np.cumsum([0, *(len(each) for each in ids)])[:-1]
    rows = embedder.rows.read(np.concatenate(ids)).astype(np.float32)
    sums: Floats = np.add.reduceat(rows, starts, axis=0)
    return sums


def _words(embedder: WordLlamaEmbedder, chance: np.random.Generator) -> list[str]:
    by_id = sorted((number, token) for token, number in embedder.tokenizer.get_vocab().items())
    whole = [token[1:] for _, token in by_id if re.fullmatch("▁[a-z]{3,}", token)][:_COMMON]
    parts = [token for _, token in by_id if re.fullmatch("[a-z]{3,6}", token)]
    found = dict.fromkeys(whole)
    while len(found) < WORDS:
        firsts, seconds = chance.integers(len(whole), size=WORDS), chance.integers(len(parts), size=WORDS)
        found |= {whole[first] + parts[second]: None for first, second in zip(firsts, seconds, strict=True)}
    return list(found)[:WORDS]


def _topics(vectors: Floats, chance: np.random.Generator) -> Numbers:
    """Each topic has the words that are nearest to one of them, nearest first."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6)
    seeds = chance.choice(np.arange(_FIRST_TOPICAL, _COMMON), TOPICS, replace=False)
    found = np.empty((TOPICS, TOPIC_WORDS), dtype=np.int64)
    for start in range(0, TOPICS, _AT_ONCE):
        near = unit[seeds[start : start + _AT_ONCE]] @ unit[_FIRST_TOPICAL:_LAST_TOPICAL].T
        best = np.argpartition(-near, TOPIC_WORDS, axis=1)[:, :TOPIC_WORDS]
        order = np.argsort(-np.take_along_axis(near, best, axis=1), axis=1)
        found[start : start + _AT_ONCE] = np.take_along_axis(best, order, axis=1) + _FIRST_TOPICAL
    return found
