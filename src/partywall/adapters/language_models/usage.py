"""What one answer has used so far, whatever form its server tells it in."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue

from partywall.adapters.language_models.usage_forms import (
    COMPLETION,
    PROMPT,
    TOTAL,
    Fields,
    count,
    in_chat_names,
    listed,
)

# Of the prompt, which is sent once: reports that repeat it say the same again.
_OF_PROMPT: Final = (PROMPT, "prompt_tokens_details")
# Tokens for each character, where a server has not shown yet how many it makes of its own words.
_USUAL_RATE: Final = 0.25
_LEAST_RATE, _MOST_RATE = 0.05, 0.5
# Below this the two readings are as good as one, and a count that falls is corrected.
_APART: Final = 1.2
_MOST_NAMES: Final = 64
# No answer has longer tokens on the whole, nor shorter ones: what counts fewer, or more, does not count all its words.
_LONGEST_TOKEN: Final = 32  # in characters
_SHORTEST_TOKEN: Final = 0.5


def words_in(chunk: Mapping[str, JsonValue]) -> int:
    """How many characters the model has written in this chunk: text, reasoning, and arguments of tools."""
    deltas = [choice.get("delta") for choice in listed(chunk.get("choices")) if isinstance(choice, dict)]
    return sum(_words(delta) for delta in deltas if isinstance(delta, dict))


def _words(delta: Mapping[str, JsonValue]) -> int:
    calls = [call.get("function") for call in listed(delta.get("tool_calls")) if isinstance(call, dict)]
    arguments = [call.get("arguments") for call in calls if isinstance(call, dict)]
    said = [value for name, value in delta.items() if name != "role"]
    return sum(len(each) for each in (*said, *arguments) if isinstance(each, str))


def merged(earlier: Mapping[str, JsonValue], later: Mapping[str, JsonValue]) -> Fields:
    """The later of two running totals; what it does not say, or says is nothing, stays as it was."""
    return _folded(earlier, later, lambda before, after: after or before)


def merged_messages(earlier: Mapping[str, JsonValue], later: Mapping[str, JsonValue]) -> Fields:
    """The same of Anthropic's, whose reader wants both counts."""
    told = merged(earlier, later)
    return told | {name: told.get(name) or 0 for name in ("input_tokens", "output_tokens")}


def _added(earlier: Mapping[str, JsonValue], later: Mapping[str, JsonValue]) -> Fields:
    return _folded(earlier, later, _plus)


def _plus(before: JsonValue, after: JsonValue) -> JsonValue:
    if isinstance(before, int | float) and isinstance(after, int | float):
        return before + after
    return after or before


def _folded(
    earlier: Mapping[str, JsonValue],
    later: Mapping[str, JsonValue],
    combine: Callable[[JsonValue, JsonValue], JsonValue],
    depth: int = 1,
) -> Fields:
    """Bounded in names and depth, for any number of reports may come."""
    found = dict(earlier)
    for name, value in later.items():
        if name not in found and len(found) >= _MOST_NAMES:
            continue
        before = found.get(name)
        if not isinstance(value, dict):
            found[name] = combine(before, value) if name in found else value
        elif depth:
            found[name] = _folded(before if isinstance(before, dict) else {}, value, combine, depth - 1)
    return found


@dataclass(slots=True)
class UsageTally:
    """Of one answer. Its server may tell usage once, as running totals, piece by piece, or for each of its own steps.

    Running totals stay or grow. They are added up only where they cannot be totals: where so few tokens cannot hold
    the words, or where the counts fall or the prompt grows by an answer, and their sum fits the words better.
    """

    _last: Fields = field(default_factory=dict)
    _sum: Fields = field(default_factory=dict)
    _report: Fields = field(default_factory=dict)
    _separate: bool = False
    _same_prompt: bool = True
    _rate: float = _USUAL_RATE
    _words: int = 0

    def take(self, report: Fields, words: int) -> Fields:
        """What the answer has used by now; `words` are the characters that the model has written by now."""
        report = in_chat_names(report)
        repeated = report == self._report and words == self._words
        if not repeated and (count(report, PROMPT) or count(report, COMPLETION)):
            self._add(report, words)
        return self._reading()

    def _add(self, report: Fields, words: int) -> None:
        prompt, completion = count(report, PROMPT), count(report, COMPLETION)
        prompt_before, before = count(self._last, PROMPT), count(self._report, COMPLETION)
        fell = completion * _APART < before
        is_next_step = 0 < prompt_before < prompt and prompt >= prompt_before + before
        self._separate = self._separate or fell or is_next_step
        self._same_prompt = self._same_prompt and (not prompt or prompt_before in (0, prompt))
        closing = words == self._words and completion == count(self._sum, COMPLETION)
        if not self._last and words:
            self._rate = min(max(completion / words, _LEAST_RATE), _MOST_RATE)
        self._last = merged(self._last, report)
        self._sum = self._last if closing else _added(self._sum, report)
        self._report, self._words = report, words

    def _reading(self) -> Fields:
        if not self._adds_up():
            return _with_total(self._last)
        prompt = {name: value for name, value in self._last.items() if self._same_prompt and name in _OF_PROMPT}
        return _with_total({**self._sum, **prompt})

    def _adds_up(self) -> bool:
        last, added = count(self._last, COMPLETION), count(self._sum, COMPLETION)
        if added <= last * _APART or not self._words:
            return False
        if last * _LONGEST_TOKEN < self._words:
            return added * _SHORTEST_TOKEN <= self._words
        expected = self._words * self._rate
        return self._separate and _off(added, expected) < _off(last, expected)


def _with_total(usage: Fields) -> Fields:
    prompt, completion = count(usage, PROMPT), count(usage, COMPLETION)
    return {**usage, PROMPT: prompt, COMPLETION: completion, TOTAL: prompt + completion}


def _off(tokens: int, expected: float) -> float:
    return abs(math.log(max(tokens, 1) / max(expected, 1)))
