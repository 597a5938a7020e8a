"""Computes the usage of one answer so far from the reports of any server."""

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

# The prompt is sent once, so repeated reports of it must not be added.
_OF_PROMPT: Final = (PROMPT, "prompt_tokens_details")
# Tokens for each character, until a server's first report shows its own rate.
_USUAL_RATE: Final = 0.25
_LEAST_RATE, _MOST_RATE = 0.05, 0.5
# Readings within this factor count as equal, and a count that falls by less is a correction.
_APART: Final = 1.2
_MOST_NAMES: Final = 64
# Bounds of an answer's average token length. A count outside of them does not cover all its text.
_LONGEST_TOKEN: Final = 32  # in characters
_SHORTEST_TOKEN: Final = 0.5


def words_in(chunk: Mapping[str, JsonValue]) -> int:
    """The number of characters that the model wrote in this chunk: text, reasoning and tool arguments."""
    deltas = [choice.get("delta") for choice in listed(chunk.get("choices")) if isinstance(choice, dict)]
    return sum(_words(delta) for delta in deltas if isinstance(delta, dict))


def _words(delta: Mapping[str, JsonValue]) -> int:
    calls = [call.get("function") for call in listed(delta.get("tool_calls")) if isinstance(call, dict)]
    arguments = [call.get("arguments") for call in calls if isinstance(call, dict)]
    said = [value for name, value in delta.items() if name != "role"]
    return sum(len(each) for each in (*said, *arguments) if isinstance(each, str))


def merged(earlier: Mapping[str, JsonValue], later: Mapping[str, JsonValue]) -> Fields:
    """The later of two running totals; counts that it omits or reports as zero keep the earlier value."""
    return _folded(earlier, later, lambda before, after: after or before)


def merged_messages(earlier: Mapping[str, JsonValue], later: Mapping[str, JsonValue]) -> Fields:
    """Like `merged`, for Anthropic's reports: always with both counts, which the SDK requires."""
    total = merged(earlier, later)
    return total | {name: total.get(name) or 0 for name in ("input_tokens", "output_tokens")}


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
    """Combines two reports. Bounded in names and depth, because a server may send any number of reports."""
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
    """Usage of one answer. A server may report it once, as running totals, piece by piece, or for each internal step.

    Reports are taken as running totals, which never fall. They are added up only if they cannot be totals: if the
    last count is too small for the text, or if counts fall or the prompt grows by an answer and the sum fits better.
    """

    _last: Fields = field(default_factory=dict)
    _sum: Fields = field(default_factory=dict)
    _report: Fields = field(default_factory=dict)
    _separate: bool = False
    _same_prompt: bool = True
    _rate: float = _USUAL_RATE
    _words: int = 0

    def take(self, report: Fields, words: int) -> Fields:
        """The usage of the answer so far; `words` is the number of characters that the model has written so far."""
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
