"""The language of a document, which decides how its words are stemmed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from typing import Final

from pydantic import JsonValue

from partywall.features.documents.constants import LANGUAGE
from partywall.features.search.constants import CONFIGURATIONS, DEFAULT_CONFIGURATION, PLAIN_CONFIGURATION
from partywall.features.search.language_words import FREQUENT_WORDS
from partywall.formats.language_tag import language_code

# Characters of a text that are looked at.
EXAMINED: Final = 1_000
# Fewer frequent words, a smaller share of them, or a smaller lead over the next language prove nothing.
_FEWEST: Final = 3
_SHARE: Final = 0.07
_LEAD: Final = 1.2

_WORD: Final = re.compile(r"[^\s\d.,;:!?()\[\]{}\"'/\\|<>=+*_-]++")
# Scripts of one language that has a stemmer.
_SCRIPTS: Final = (("\u0370", "\u03ff", "el"), ("\u0530", "\u058f", "hy"), ("\u0b80", "\u0bff", "ta"))


def _by_word() -> dict[str, tuple[str, ...]]:
    languages: dict[str, tuple[str, ...]] = {}
    for language, words in FREQUENT_WORDS.items():
        languages.update({word: (*languages.get(word, ()), language) for word in words.split()})
    return languages


_LANGUAGES: Final = _by_word()


def language_of(metadata: Mapping[str, JsonValue], text: str) -> str | None:
    """By the BCP 47 tag `language` in a document's metadata, or else by its text; None if that does not tell.

    A tag of no language counts as none.
    """
    tag = metadata.get(LANGUAGE)
    return (language_code(tag) if isinstance(tag, str) else None) or detected(text)


def configuration_of(language: str | None) -> str:
    """The text search configuration."""
    return DEFAULT_CONFIGURATION if language is None else CONFIGURATIONS.get(language, PLAIN_CONFIGURATION)


def detected(text: str) -> str | None:
    """The language that a text's most frequent words belong to; None if they are too few or belong to several."""
    words = Counter(_WORD.findall(text[:EXAMINED].lower()))
    found, weights = Counter[str](), dict[str, float]()
    for word in words.keys() & _LANGUAGES.keys():
        for language in _LANGUAGES[word]:
            found[language] += words[word]
            weights[language] = weights.get(language, 0) + words[word] / len(_LANGUAGES[word])
    for first, last, language in () if text.isascii() else _SCRIPTS:
        if count := sum(words[word] for word in words if first <= word[0] <= last):
            found[language] = weights[language] = count
    (best, weight), (_, next_weight) = [*sorted(weights.items(), key=lambda each: -each[1])[:2], ("", 0), ("", 0)][:2]
    enough = found[best] >= max(_FEWEST, _SHARE * words.total()) and weight >= _LEAD * next_weight
    return best if enough else None
