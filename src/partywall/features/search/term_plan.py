"""Decides which words of a query choose the passages, and which only add to the scores of those chosen.

A frequent word is in many passages and says little about each. Reading it for all of them is most of the cost of a
search by word in a large project.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Final

CHOOSING: Final = 25_000
"""So many postings of the rarest words are ranked; those of the others are read for the best of these passages only."""

COMPLETED: Final = 15
"""How many times the passages wanted get the scores of the other words."""
COMPLETED_OF_MATCHING: Final = 50
"""The same where a filter may keep a tenth of them, or less."""


@dataclass(frozen=True, slots=True)
class AskedTerm:
    """A term of the query, the configurations that have it, and the number of passages that contain it.

    `words` are the numbers of the words that became it. In `weak` of the passages it is only in headings or in parts of
    compounds and numbers. The more these are, the less each counts: together as much as the root of their number.
    """

    term: str
    weight: float
    configurations: Sequence[str]
    times: int
    weak: int = 0
    words: Sequence[int] = ()

    @property
    def lowest(self) -> float:
        """What a weak one counts, where a word of the text counts 1."""
        return 1 / math.sqrt(max(self.weak, 1))

    def information(self, chunks: float) -> float:
        """How rare it is in a project of so many passages.

        A term with a digit, such as a code or a year, counts twice: who gives one wants no other.
        """
        times = self.times - self.weak + math.sqrt(self.weak)
        rare = math.log(1 + (max(chunks - times, 0) + 0.5) / (times + 0.5))
        is_code = len(self.term) > 2 and not {*"0123456789"}.isdisjoint(self.term)
        return self.weight * rare * (2 if is_code else 1)


@dataclass(frozen=True, slots=True)
class WeighedTerm:
    """`lowest` is the least frequency that counts."""

    term: str
    information: float
    lowest: float = 1.0


@dataclass(frozen=True, slots=True)
class TermPlan:
    """`rest` is empty if all terms choose. The best `completed` passages get the scores of the rest.

    `whole` is the information of the query: of the language of the project in which it is least.
    """

    choosing: Sequence[WeighedTerm]
    rest: Sequence[WeighedTerm]
    completed: int
    whole: float


def plan(asked: Sequence[AskedTerm], chunks: float, looked_at: int, *, filters: bool = False) -> TermPlan | None:
    """None if no term is asked. The passages wanted are the best `looked_at`, of those that match if it `filters`."""
    if not asked:
        return None
    weighed = [WeighedTerm(each.term, each.information(chunks), each.lowest) for each in asked]
    completed = looked_at * (COMPLETED_OF_MATCHING if filters else COMPLETED)
    rarest = sorted(range(len(asked)), key=lambda place: (asked[place].times, asked[place].term))
    count = _choosing([asked[place].times for place in rarest], completed)
    choosing, rest = ([weighed[place] for place in places] for places in (rarest[:count], rarest[count:]))
    return TermPlan(choosing, rest, completed, _whole(asked, weighed))


def information_of_tokens(
    by_token: Mapping[str, Set[int]], asked: Iterable[AskedTerm], chunks: float
) -> dict[str, float]:
    """How rare the rarest term of each token is; 0 for a stop word. Takes the numbers of each token's words."""
    rarest: dict[int, float] = {}
    for term in asked:
        information = term.information(chunks)
        rarest |= {word: max(information, rarest.get(word, 0.0)) for word in term.words}
    return {token: max((rarest.get(word, 0.0) for word in words), default=0.0) for token, words in by_token.items()}


def complete(given: TermPlan) -> TermPlan:
    """The same with all terms choosing."""
    return TermPlan([*given.choosing, *given.rest], [], given.completed, given.whole)


def _choosing(times: Sequence[int], least: int) -> int:
    """How many of the rarest terms: as many as have CHOOSING postings together, but at least enough passages."""
    if least > CHOOSING:
        return len(times)
    together = 0
    for count, each in enumerate(times):
        if together >= min(least, CHOOSING) and together + each > CHOOSING:
            return count
        together += each
    return len(times)


def _whole(asked: Sequence[AskedTerm], weighed: Sequence[WeighedTerm]) -> float:
    sums: dict[str, float] = {}
    for term, each in sorted(zip(asked, weighed, strict=True), key=lambda pair: pair[0].term):
        for configuration in term.configurations:
            sums[configuration] = sums.get(configuration, 0.0) + each.information
    return min(sums.values())
