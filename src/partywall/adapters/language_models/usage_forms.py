"""Converts a server's usage report to the names and the meaning of OpenAI's chat completions.

There the prompt includes cached tokens, and the completion includes reasoning. Other servers report these separately,
which shows in the total, or in a part that is larger than its whole.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import JsonValue

PROMPT: Final = "prompt_tokens"
COMPLETION: Final = "completion_tokens"
TOTAL: Final = "total_tokens"
# More than any call uses; sums of it still fit the columns and JSON numbers.
MOST_TOKENS: Final = 2**31 - 1

# OpenAI's chat completions and responses, Ollama's own API, llama.cpp's timings.
_PROMPTS: Final = (PROMPT, "input_tokens", "prompt_eval_count", "prompt_n")
# The same, then Gemini's own API and TGI's.
_COMPLETIONS: Final = (
    COMPLETION, "output_tokens", "eval_count", "predicted_n", "candidates_tokens", "response_tokens",
    "generated_tokens",
)  # fmt: skip
# Anthropic, Bedrock, llama.cpp, and Gemini (for what its tools read).
_BESIDE_PROMPT: Final = (
    "cache_read_input_tokens", "cache_creation_input_tokens", "cache_write_input_tokens", "cache_n",
    "tool_use_prompt_tokens",
)  # fmt: skip
_REASONING: Final = "reasoning_tokens"
_THOUGHTS: Final = "thoughts_tokens"
_DETAILS: Final = ("completion_tokens_details", "output_tokens_details")
# Cohere's counts are one level deeper: `tokens` is what the model used, `billed_units` what is billed.
_WITHIN: Final = ("tokens", "billed_units")
_NAMES: Final = ("usage", "usageMetadata", "usage_metadata", "timings", "amazon-bedrock-invocationMetrics")
_COUNTS: Final = frozenset({*_PROMPTS, *_COMPLETIONS, *_BESIDE_PROMPT})
_CAPITAL: Final = re.compile("(?<=[a-z])[A-Z]")
_LONGEST_NUMBER, _LONGEST_NAME = 40, 64  # in characters

type Fields = dict[str, JsonValue]


def usage_in(chunk: Mapping[str, JsonValue]) -> Fields | None:
    """The usage in a chunk, wherever the server puts it; of several, the first with a count above zero."""
    found = list(_reports_in(chunk))
    return next((each for each in found if _counts_anything(each)), found[0] if found else None)


def _reports_in(chunk: Mapping[str, JsonValue]) -> Iterator[Fields]:
    """Reports at the top level, in `x_groq`, in a choice (Moonshot), or as fields of the chunk itself (Ollama)."""
    choices = [each for each in listed(chunk.get("choices")) if isinstance(each, dict)]
    holders = (chunk, chunk.get("x_groq"), chunk.get("delta"), *choices, *(each.get("delta") for each in choices))
    for holder in holders:
        if isinstance(holder, Mapping):
            yield from (usage for name in _NAMES if isinstance(usage := holder.get(name), dict))
    if "eval_count" in chunk or "prompt_eval_count" in chunk:
        yield {name: chunk.get(name) for name in ("prompt_eval_count", "eval_count")}


def _counts_anything(usage: Fields) -> bool:
    report = in_chat_names(usage)
    return bool(count(report, PROMPT) or count(report, COMPLETION))


def without_unreadable(chunk: Fields) -> bool:
    """Empties each `usage` that is not an object; returns whether there was one."""
    found = False
    for holder in (chunk, chunk.get("message"), chunk.get("x_groq"), *listed(chunk.get("choices"))):
        if isinstance(holder, dict) and not isinstance(holder.get("usage"), dict | None):
            holder["usage"], found = {}, True
    return found


def bound(usage: Fields) -> None:
    """Bounds the counts in place. Accepts numbers as text; clears invalid counts, which are then estimated."""
    for fields in (usage, *(each for each in usage.values() if isinstance(each, dict))):
        for name, value in list(fields.items()):
            if name in _WITHIN and isinstance(value, dict):
                continue
            if (name.endswith("tokens") or name in _COUNTS) and value is not None:
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


def in_chat_names(usage: Mapping[str, JsonValue]) -> Fields:
    """The report with both counts as in chat completions, as far as known. A total larger than their sum is trusted."""
    report = _plain(usage)
    total, hidden = count(report, TOTAL), _reasoning(report)
    parts = [part for name in _BESIDE_PROMPT if (part := count(report, name))]
    prompt, completion = _first(report, _PROMPTS), _first(report, _COMPLETIONS)
    if hidden > completion or (_THOUGHTS in report and not total):
        completion, hidden = completion + hidden, 0
    prompt = prompt or max(0, total - completion)
    if sum(parts) > prompt or (not total and PROMPT not in report):
        prompt, parts = prompt + sum(parts), []
    left = max(0, total - prompt - completion)
    to_prompt = _of_prompt(left, hidden, parts)
    prompt, completion = prompt + to_prompt, completion + left - to_prompt
    counts: Fields = {PROMPT: min(prompt, MOST_TOKENS), COMPLETION: min(completion, MOST_TOKENS)}
    return {**counts, **report, **counts}  # counts first, because only the first names are kept


def _of_prompt(left: int, hidden: int, parts: list[int]) -> int:
    """The prompt's share of the tokens that only the total counts: those that the separate parts explain exactly."""
    if left == hidden:
        return 0
    return next((each for each in (left - hidden, left) if each in (*parts, sum(parts))), 0)


def _plain(usage: Mapping[str, JsonValue]) -> Fields:
    """A copy with names in OpenAI's style and numeric counts."""
    report = {_plain_name(name): value for name, value in usage.items()}
    for name in _WITHIN:
        within = report.pop(name, None)
        if isinstance(within, dict):
            report = {_plain_name(each): value for each, value in within.items()} | report
    bound(report)
    return report


def _plain_name(name: str) -> str:
    """Maps `promptTokenCount` and `prompt_token_count` to `prompt_tokens`."""
    if len(name) > _LONGEST_NAME:
        return name
    name = _CAPITAL.sub(lambda capital: f"_{capital[0].lower()}", name)
    return f"{name.removesuffix('_token_count')}_tokens" if name.endswith("_token_count") else name


def _reasoning(report: Fields) -> int:
    details = [each for name in _DETAILS if isinstance(each := report.get(name), dict)]
    return max(count(report, _THOUGHTS), *(count(each, _REASONING) for each in (report, *details)))


def _first(report: Fields, names: tuple[str, ...]) -> int:
    return next((found for name in names if (found := count(report, name))), 0)


def count(report: Mapping[str, JsonValue], name: str) -> int:
    value = report.get(name)
    return value if isinstance(value, int) else 0


def listed(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else []
