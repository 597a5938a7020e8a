"""What one answer has used so far, whatever form its server tells it in."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from pydantic import JsonValue

PROMPT: Final = "prompt_tokens"
COMPLETION: Final = "completion_tokens"
TOTAL: Final = "total_tokens"
# Of the prompt, which is sent once: reports that repeat it say the same again.
_OF_PROMPT: Final = (PROMPT, "prompt_tokens_details")
# Tokens for each character, where a server has not shown yet how many it makes of its own words.
_USUAL_RATE: Final = 0.25
_LEAST_RATE, _MOST_RATE = 0.05, 0.5
# Below this the two readings are as good as one.
_APART: Final = 1.2
_MOST_NAMES: Final = 64
# No call uses as many, and no sum of such ones leaves a column or a number in JSON.
MOST_TOKENS: Final = 2**31 - 1
_LONGEST_NUMBER: Final = 40  # in characters
# How much nearer to the words a sum must be, where the reports look like running totals.
_MUCH_NEARER: Final = 3

type Fields = dict[str, JsonValue]


def usage_in(chunk: Mapping[str, JsonValue]) -> Fields | None:
    """Where servers put it: at the top, under the name of Groq, or in a choice, as Moonshot does."""
    for holder in (chunk, chunk.get("x_groq"), *_list(chunk.get("choices"))):
        if isinstance(holder, Mapping) and isinstance(usage := holder.get("usage"), dict):
            return usage
    return None


def without_unreadable(chunk: Fields) -> bool:
    """Empties each usage that has another form; whether there was one."""
    found = False
    for holder in (chunk, chunk.get("message"), chunk.get("x_groq"), *_list(chunk.get("choices"))):
        if isinstance(holder, dict) and not isinstance(holder.get("usage"), dict | None):
            holder["usage"], found = {}, True
    return found


def bound(usage: Fields) -> None:
    """Numbers may be written as text. A count that is none is taken out: it is estimated then."""
    for fields in (usage, *(each for each in usage.values() if isinstance(each, dict))):
        for name, value in list(fields.items()):
            if name.endswith("tokens") and value is not None:
                fields[name] = _tokens(value)
            elif name.endswith("_details") and not isinstance(value, dict):
                fields[name] = None


def _tokens(value: JsonValue) -> int | None:
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value):
        return None
    return int(min(max(value, 0), MOST_TOKENS))


def words_in(chunk: Mapping[str, JsonValue]) -> int:
    """How many characters the model has written in this chunk: text, reasoning, and arguments of tools."""
    deltas = [choice.get("delta") for choice in _list(chunk.get("choices")) if isinstance(choice, dict)]
    return sum(_words(delta) for delta in deltas if isinstance(delta, dict))


def _words(delta: Mapping[str, JsonValue]) -> int:
    calls = [call.get("function") for call in _list(delta.get("tool_calls")) if isinstance(call, dict)]
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

    Running totals never fall, and grow with the words; pieces and steps add up to them. Where the reports fit both,
    they are running totals.
    """

    _last: Fields = field(default_factory=dict)
    _sum: Fields = field(default_factory=dict)
    _report: Fields | None = None
    _reports: int = 0
    _rising: bool = True
    _same_prompt: bool = True
    _rate: float = _USUAL_RATE
    _words: int = 0

    def take(self, report: Fields, words: int) -> Fields:
        """What the answer has used by now; `words` are the characters that the model has written by now."""
        report = _in_chat_names(report)
        repeated = report == self._report and words == self._words
        if not repeated and (_count(report, PROMPT) or _count(report, COMPLETION)):
            self._add(report, words)
        return self._reading()

    def _add(self, report: Fields, words: int) -> None:
        if self._reports and _count(report, COMPLETION) <= _count(self._report or {}, COMPLETION):
            self._rising = False
        prompt = _count(report, PROMPT)
        if prompt and _count(self._last, PROMPT) not in (0, prompt):
            self._same_prompt = False
        closing = words == self._words and _count(report, COMPLETION) == _count(self._sum, COMPLETION)
        self._last = merged(self._last, report)
        self._sum = self._last if closing else _added(self._sum, report)
        if not self._reports and words:
            self._rate = min(max(_count(report, COMPLETION) / words, _LEAST_RATE), _MOST_RATE)
        self._report, self._words, self._reports = report, words, self._reports + 1

    def _reading(self) -> Fields:
        if not self._adds_up():
            return _with_total(self._last)
        prompt = {name: value for name, value in self._last.items() if self._same_prompt and name in _OF_PROMPT}
        return _with_total({**self._sum, **prompt})

    def _adds_up(self) -> bool:
        """Whether the sum of all reports fits what the model has written better than the last one does."""
        last, added = _count(self._last, COMPLETION), _count(self._sum, COMPLETION)
        expected = self._words * self._rate
        if not expected or added <= last * _APART:
            return False
        off = _off(added, expected) * (_MUCH_NEARER if self._rising else 1)
        return off < _off(last, expected)


def _in_chat_names(report: Fields) -> Fields:
    """With both counts under the names of chat completions, as far as they can be known."""
    prompt = _first(report, PROMPT, "input_tokens")
    completion = _first(report, COMPLETION, "output_tokens")
    total = _count(report, TOTAL)
    if prompt is None:
        prompt = max(0, total - (completion or 0))
    if completion is None:
        completion = max(0, total - prompt)
    return {**report, PROMPT: prompt, COMPLETION: completion}


def _with_total(usage: Fields) -> Fields:
    prompt, completion = _count(usage, PROMPT), _count(usage, COMPLETION)
    return {**usage, PROMPT: prompt, COMPLETION: completion, TOTAL: prompt + completion}


def _first(report: Fields, *names: str) -> int | None:
    return next((_count(report, name) for name in names if report.get(name) is not None), None)


def _count(report: Mapping[str, JsonValue], name: str) -> int:
    value = report.get(name)
    return value if isinstance(value, int) else 0


def _off(tokens: int, expected: float) -> float:
    return abs(math.log(max(tokens, 1) / max(expected, 1)))


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []
