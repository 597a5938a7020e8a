"""Finds the query's words in returned texts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, Self

from partywall.features.search.characters import folded
from partywall.features.search.compounds import SHORTEST
from partywall.features.search.terms import GERMAN, WordList, with_parts, words_of
from partywall.features.search.tokens import Form, forms, is_plain, places

# Per text: a one-letter word may occur a thousand times.
MOST: Final = 100

# Stemmers take endings off, except these, which change beginnings too.
_BEGINNINGS: Final = frozenset({"arabic", "dutch", "indonesian", "irish", "tamil", "yiddish"})
_JOINTS: Final = dict.fromkeys(map(ord, "-_./\\:@&~,"))
# Letters of a word that its stem keeps.
_KEPT: Final = 2


@dataclass(frozen=True, slots=True)
class Span:
    """`text[start:end]`, in characters."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Text:
    """A text's tokens with their places, without those that cannot match."""

    configuration: str
    tokens: Sequence[tuple[int, str]]


@dataclass(slots=True)
class Highlighter:
    """Marks the tokens of texts, or their parts, whose words are among the `matched` ones of `words`."""

    words: WordList
    texts: list[_Text] = field(default_factory=list)
    matched: set[int] = field(default_factory=set)
    _forms: dict[tuple[str, str], list[tuple[Form, set[int]]]] = field(default_factory=dict)

    @classmethod
    def of(cls, asked: WordList, texts: Iterable[tuple[str, str]]) -> Self:
        """Collects the words of a query and of texts, each with its configuration."""
        beginnings = {folded(word).translate(_JOINTS)[:_KEPT] for _, word in asked.numbers}
        made = cls(WordList(dict(asked.numbers)))
        wanted: dict[str, _Wanted] = {}
        for configuration, text in texts:
            are_wanted = wanted.setdefault(configuration, _Wanted(configuration, beginnings))
            found = [(each.start(1), each[1]) for each in places(text) if are_wanted[each[1]]]
            made.texts.append(_Text(configuration, found))
            for _, token in found:
                made._note(configuration, token)
        return made

    def _note(self, configuration: str, token: str) -> None:
        if (configuration, token) not in self._forms:
            self._forms[configuration, token] = [
                (form, {number for number, _ in self.words.add(words_of(form, configuration))})
                for form in with_parts(forms(token), configuration)
            ]

    def spans(self, position: int) -> list[Span]:
        """The first MOST spans of a text, in order."""
        spans: list[Span] = []
        text = self.texts[position]
        for at, token in text.tokens:
            spans += (Span(at + start, at + end) for start, end in self._marked(text.configuration, token))
            if len(spans) >= MOST:
                break
        return spans[:MOST]

    def _marked(self, configuration: str, token: str) -> Iterator[tuple[int, int]]:
        """The places of a token's matched forms; those that overlap become one."""
        found = self._forms[configuration, token]
        last: tuple[int, int] | None = None
        for start, end in sorted((form.start, form.end) for form, numbers in found if numbers & self.matched):
            if last is not None and start >= last[1]:
                yield last
                last = None
            last = (start, end) if last is None else (last[0], max(end, last[1]))
        if last is not None:
            yield last


@dataclass(slots=True)
class _Wanted(dict[str, bool]):
    """Whether a token of a text in this language may match a word that begins so."""

    configuration: str
    beginnings: set[str]

    def __missing__(self, token: str) -> bool:
        self[token] = wanted = self._may_match(token)
        return wanted

    def _may_match(self, token: str) -> bool:
        if not token.isascii() or self.configuration in _BEGINNINGS:
            return True
        if is_plain(token):
            may_be_compound = self.configuration == GERMAN and len(token) >= SHORTEST
            return may_be_compound or token[:_KEPT].lower() in self.beginnings
        letters = token.lower().translate(_JOINTS)
        return any(beginning in letters for beginning in self.beginnings)
