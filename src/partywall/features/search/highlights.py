"""Finds the query's words in returned texts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Self

from partywall.features.search.characters import folded, lower, plain
from partywall.features.search.compounds import SHORTEST
from partywall.features.search.terms import GERMAN, WordList, plain_word, with_parts, words_of
from partywall.features.search.tokens import (
    forms,
    is_clustered,
    is_plain,
    is_unspaced,
    pairs,
    places,
    unspaced,
    unspaced_forms,
)

# Per text: a one-letter word may occur a thousand times.
MOST: Final = 100
MOST_SPLIT: Final = 20_000
"""Characters of different tokens with several forms, in all texts of an answer: less than 0.1 s of a processor."""

# Stemmers take endings off, except these, which change beginnings too.
_BEGINNINGS: Final = frozenset({"arabic", "dutch", "indonesian", "irish", "serbian", "tamil", "yiddish"})
_JOINTS: Final = dict.fromkeys(map(ord, "-_./\\:@&~,'"))
# Letters of a word that its stem keeps.
_KEPT: Final = 2


# The place of a token's form in it, and the numbers of its words.
type _Form = tuple[int, int, set[int]]


class Span(NamedTuple):
    """`text[start:end]`, in characters."""

    start: int
    end: int


class _Text(NamedTuple):
    """A text's tokens with their places, without those that cannot match."""

    configuration: str
    tokens: Sequence[tuple[int, str]]


@dataclass(slots=True)
class Highlighter:
    """Marks the tokens of texts, or their parts, that have a word among the matched ones of `words`."""

    words: WordList
    _beginnings: set[str]
    _exact: set[str]
    _texts: list[_Text] = field(default_factory=list)
    _wanted: dict[str, _Wanted] = field(default_factory=dict)
    _forms: dict[tuple[str, str], list[_Form]] = field(default_factory=dict)
    _marked: dict[tuple[str, str], list[Span]] = field(default_factory=dict)
    _room: _Room = field(default_factory=lambda: _Room(MOST_SPLIT))

    @classmethod
    def of(cls, asked: WordList) -> Self:
        """For the words of a query."""
        words = {word for _, word in asked.numbers}
        plain_words = {folded(word).translate(_JOINTS) for word in words}
        beginnings = {each[:_KEPT] for word in plain_words for each in (word, _without_umlauts(word))}
        return cls(WordList(dict(asked.numbers)), beginnings, words)

    def add(self, configuration: str, text: str) -> None:
        """Adds the words of a text; those of the best text first, for there is a limit (MOST_SPLIT)."""
        if (wanted := self._wanted.get(configuration)) is None:
            wanted = self._wanted[configuration] = _Wanted(configuration, self._beginnings, self._room)
        found = [(each.start(1), token) for each in places(text) if wanted[token := each[1]]]
        self._texts.append(_Text(configuration, found))
        for token in dict.fromkeys(token for _, token in found):
            if (configuration, token) not in self._forms:
                self._note(configuration, token)

    def _note(self, configuration: str, token: str) -> None:
        if (word := plain_word(token, configuration)) is not None:
            self._forms[configuration, token] = [(0, len(token), {self.words.number(*word)})]
            return
        known = unspaced_forms(token, self._exact)
        if not self._room.take(len(token if known is None else known)):
            return
        self._forms[configuration, token] = [
            (form.start, form.end, {number for number, _ in self.words.add(words_of(form, configuration))})
            for form in (with_parts(forms(token), configuration) if known is None else known)
            if not form.exact or form.text in self._exact or not _is_code(form.text)
        ]

    def mark(self, matched: Set[int]) -> None:
        """Takes the numbers of the words that match."""
        for key, found in self._forms.items():
            if places := _joined((start, end) for start, end, numbers in found if not numbers.isdisjoint(matched)):
                self._marked[key] = places

    def spans(self, position: int) -> list[Span]:
        """The first MOST spans of a text, in order."""
        spans: list[Span] = []
        configuration, tokens = self._texts[position]
        for at, token in tokens:
            if found := self._marked.get((configuration, token)):
                spans += (Span(at + start, at + end) for start, end in found)
                if len(spans) >= MOST:
                    break
        return spans[:MOST]


def _without_umlauts(word: str) -> str:
    """German `ue` as `u`, which is how `ü` is compared."""
    return word.replace("ae", "a").replace("oe", "o").replace("ue", "u")


def _is_code(text: str) -> bool:
    """Whether nothing but the same text matches: no stemmer makes it. Text with accents may lose them."""
    return not text.isalpha() if text.isascii() else unspaced(text) > 0


def _joined(places: Iterable[tuple[int, int]]) -> list[Span]:
    """Places that overlap become one."""
    joined: list[Span] = []
    for start, end in sorted(places):
        if joined and start < joined[-1].end:
            joined[-1] = Span(joined[-1].start, max(joined[-1].end, end))
        else:
            joined.append(Span(start, end))
    return joined


@dataclass(slots=True)
class _Room:
    """For how many more characters the forms are looked for; none once a token has found too little."""

    left: int

    def take(self, characters: int) -> bool:
        fits = characters <= self.left
        self.left = self.left - characters if fits else 0
        return fits


@dataclass(slots=True)
class _Wanted(dict[str, bool]):
    """Whether a token of a text in this language may match a word that begins so."""

    configuration: str
    beginnings: set[str]
    room: _Room

    def __missing__(self, token: str) -> bool:
        self[token] = wanted = self._may_match(token)
        return wanted

    def _may_match(self, token: str) -> bool:
        if self.room.left == 0 and not is_plain(token):
            return False
        if token[:_KEPT].lower() in self.beginnings or self.configuration in _BEGINNINGS:
            return True
        if token.isascii() and not is_plain(token):
            return self._has_beginning(token.lower().translate(_JOINTS))
        if not token.isascii() and is_unspaced(token):
            return not is_clustered(token) or self._has_beginning(plain(token))
        return not token.isalpha() or self._is_like(token)

    def _is_like(self, token: str) -> bool:
        """Whether a token of letters begins like a word asked for; a German compound may contain it."""
        word = folded(lower(plain(token)))
        if self.configuration == GERMAN:
            other = _without_umlauts(word)
            if len(word) >= SHORTEST:
                return self._has_beginning(f"{word} {other}")
            return other[:_KEPT] in self.beginnings or word[:_KEPT] in self.beginnings
        return word[:_KEPT] in self.beginnings

    def _has_beginning(self, letters: str) -> bool:
        return not self.beginnings.isdisjoint(["", *letters, *pairs(letters)])
