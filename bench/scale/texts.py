"""The texts of a project: words of a topic among words of the language, with their vectors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from bench.scale.language import TOPICS, Floats, Language, Numbers

# A document is one passage, so that a project has as many documents as passages.
MEAN_WORDS: Final = 110
FEWEST_WORDS, MOST_WORDS = 25, 300
TITLE_WORDS: Final = 3
_TOPICAL: Final = 0.35
_PASSAGES_OF_TOPIC: Final = 60
_AT_ONCE: Final = 10_000
_ONES: Final = np.ones(MOST_WORDS + TITLE_WORDS, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Texts:
    """Some documents, in order. The words of document `n` are `words[starts[n]:starts[n + 1]]`, the title first."""

    titles: list[str]
    bodies: list[str]
    words: Numbers
    starts: Numbers
    vectors: Floats

    def __len__(self) -> int:
        return len(self.titles)


def texts_of(language: Language, seed: int, count: int) -> Iterator[Texts]:
    """The documents of a project in parts, the same for the same seed and count."""
    chance = np.random.default_rng([seed, count])
    of_project = chance.choice(TOPICS, min(TOPICS, max(5, count // _PASSAGES_OF_TOPIC)), replace=False)
    for done in range(0, count, _AT_ONCE):
        yield _some(language, chance, of_project, min(_AT_ONCE, count - done))


def _some(language: Language, chance: np.random.Generator, of_project: Numbers, count: int) -> Texts:
    lengths = chance.lognormal(np.log(MEAN_WORDS), 0.4, count).clip(FEWEST_WORDS, MOST_WORDS).astype(np.int64)
    starts = np.concatenate([[0], np.cumsum(lengths + TITLE_WORDS)])
    # Some topics have many documents, most have few.
    topics = of_project[(len(of_project) * chance.random(count) ** 2).astype(np.int64)]
    topic_of_word = np.repeat(topics, lengths + TITLE_WORDS)
    words = language.draw(chance, starts[-1])
    topical = chance.random(starts[-1]) < _TOPICAL
    topical[(starts[:-1, None] + np.arange(TITLE_WORDS)).ravel()] = True
    words[topical] = language.draw_of_topics(chance, topic_of_word[topical])
    named = [language.words[number] for number in words.tolist()]
    spans = list(pairwise(starts.tolist()))
    titles = [" ".join(named[start : start + TITLE_WORDS]) for start, _ in spans]
    bodies = [" ".join(named[start + TITLE_WORDS : end]) for start, end in spans]
    joints = [f"{named[start + TITLE_WORDS - 1]}\n{named[start + TITLE_WORDS]}" for start, _ in spans]
    return Texts(titles, bodies, words, starts, _vectors(language, words, starts, joints))


def _vectors(language: Language, words: Numbers, starts: Numbers, joints: list[str]) -> Floats:
    """As the model embeds a title, a line end and a text: it reads the words beside the line end together."""
    sums = language.tokens_of(joints)
    last = starts[:-1] + TITLE_WORDS - 1
    sums -= language.vectors[words[last]] + language.vectors[words[last + 1]]
    for place, (start, end) in enumerate(pairwise(starts.tolist())):
        sums[place] += _ONES[: end - start] @ language.vectors[words[start:end]]
    unit: Floats = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    return unit
