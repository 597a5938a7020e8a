"""Usage in the forms of other servers and gateways, as their users report them; each counts once."""

from __future__ import annotations

import orjson
import pytest

from partywall.adapters.language_models.answers import Answer, ServerEvent
from partywall.adapters.language_models.usage_forms import MOST_TOKENS

type Fields = dict[str, object]


def usage(prompt: int, completion: int, /, *stated_total: int, **more: object) -> Fields:
    total = stated_total[0] if stated_total else prompt + completion
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": total} | more


def reasoning(tokens: int) -> Fields:
    return {"completion_tokens_details": {"reasoning_tokens": tokens}}


def used(*chunks: tuple[str, Fields]) -> tuple[int, int]:
    """The usage of a response with these words, each chunk with its own fields."""
    answer = Answer()
    last: Fields = {}
    for words, fields in chunks:
        chunk = {"choices": [{"index": 0, "delta": {"content": words}}]} | fields
        passed = orjson.loads(answer.take(ServerEvent(b"", orjson.dumps(chunk))).data)
        last = passed.get("usage") or last
    prompt, completion = int(str(last["prompt_tokens"])), int(str(last["completion_tokens"]))
    assert last["total_tokens"] == prompt + completion
    return prompt, completion


REPORTS: dict[str, tuple[Fields, tuple[int, int]]] = {
    "OpenAI, reasoning within": (usage(100, 4063, **reasoning(4000)), (100, 4063)),
    "xAI, reasoning beside": (usage(100, 63, 4163, **reasoning(4000)), (100, 4063)),
    "xAI, reasoning beside that is shorter": (usage(10, 1499, 1909, **reasoning(400)), (10, 1899)),
    "xAI behind a proxy that adds up by itself": (usage(12, 2, **reasoning(317)), (12, 319)),
    "xAI without a prompt": (usage(0, 63, 4163, **reasoning(4000)), (100, 4063)),
    "Gemini's endpoint, a total alone says more": (usage(10, 5, 1015), (10, 1005)),
    "Gemini's endpoint, thoughts only": ({"prompt_tokens": 10, "total_tokens": 1010}, (10, 1000)),
    "Perplexity, at the top": (usage(10, 5, reasoning_tokens=1000), (10, 1005)),
    "responses": ({"input_tokens": 100, "output_tokens": 63, "output_tokens_details": {"reasoning_tokens": 60},
                   "input_tokens_details": {"cached_tokens": 90}, "total_tokens": 163}, (100, 63)),
    "Azure": (usage(100, 63, prompt_tokens_details={"cached_tokens": 90}, **reasoning(60)), (100, 63)),
    "Mistral": (usage(100, 63, num_cached_tokens=64, prompt_audio_seconds=None), (100, 63)),
    "DeepSeek": (usage(100, 63, prompt_cache_hit_tokens=64, prompt_cache_miss_tokens=36), (100, 63)),
    "OpenRouter": (usage(100, 63, cost=0.1, is_byok=False, cost_details={"upstream_inference_cost": None}), (100, 63)),
    "LiteLLM, cache within": (usage(5000, 63, cache_read_input_tokens=4000, cache_creation_input_tokens=0), (5000, 63)),
    "LiteLLM, cache written beside": (
        usage(4400, 63, 4663, cache_read_input_tokens=4000, cache_creation_input_tokens=200), (4600, 63)),
    "a gateway, cache beside": (usage(368, 19, 10923, cache_read_input_tokens=10536), (10904, 19)),
    "a gateway, cache and reasoning beside": (
        usage(5000, 63, 9463, cache_read_input_tokens=4000, **reasoning(400)), (9000, 463)),
    "Anthropic's names": (
        {"input_tokens": 1000, "output_tokens": 63, "cache_read_input_tokens": 4000, "cache_creation_input_tokens": 500,
         "cache_creation": {"ephemeral_5m_input_tokens": 500}}, (5500, 63)),
    "Anthropic's names, cache within by the total": (
        {"input_tokens": 5000, "output_tokens": 63, "cache_read_input_tokens": 4000, "total_tokens": 5063}, (5000, 63)),
    "Bedrock": ({"inputTokens": 368, "outputTokens": 19, "totalTokens": 10923, "cacheReadInputTokens": 10536,
                 "cacheReadInputTokenCount": 10536, "cacheWriteInputTokens": 0}, (10904, 19)),
    "Cohere": ({"billed_units": {"input_tokens": 90, "output_tokens": 60},
                "tokens": {"input_tokens": 100.0, "output_tokens": 63.0}}, (100, 63)),
    "Gemini's own": ({"promptTokenCount": 100, "candidatesTokenCount": 63, "thoughtsTokenCount": 40,
                      "toolUsePromptTokenCount": 7, "totalTokenCount": 210,
                      "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 100}]}, (107, 103)),
    "Gemini's own, without a total": ({"prompt_token_count": 100, "candidates_token_count": 63,
                                       "thoughts_token_count": 40}, (100, 103)),
    "a total that is less": (usage(100, 63, 5), (100, 63)),
    "text": ({"prompt_tokens": "100", "completion_tokens": "63.0", "total_tokens": "4163"}, (100, 4063)),
    "more than there can be": (usage(2**40, 2**40, 2**60), (MOST_TOKENS, MOST_TOKENS)),
}  # fmt: skip


@pytest.mark.parametrize("name", REPORTS)
def test_a_report_counts_the_same_once_or_with_every_chunk(name: str) -> None:
    usage, expected = REPORTS[name]
    told_in: Fields = {"usage": usage}
    assert used(("word " * 20, {}), ("", told_in)) == expected
    assert used(*[("word " * 20, told_in)] * 4, ("", told_in)) == expected


PLACES: dict[str, Fields] = {
    "Groq, twice": {"x_groq": {"usage": usage(100, 63, queue_time=0.1)}, "usage": usage(100, 63)},
    "Groq, beside zeros": {"x_groq": {"usage": usage(100, 63)}, "usage": usage(0, 0)},
    "in a choice": {"choices": [{"index": 0, "delta": {"usage": usage(100, 63)}}]},
    "Cohere, in a delta": {"delta": {"usage": {"tokens": {"input_tokens": 100, "output_tokens": 63}}}},
    "Gemini": {"usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 63, "totalTokenCount": 163}},
    "Bedrock": {"amazon-bedrock-invocationMetrics": {"inputTokenCount": 100, "outputTokenCount": 63}},
    "llama.cpp": {"timings": {"prompt_n": 10, "cache_n": 90, "predicted_n": 63, "predicted_ms": 12.5}},
    "Ollama": {"prompt_eval_count": 100, "eval_count": 63, "done": True},
}


@pytest.mark.parametrize("name", PLACES)
def test_usage_is_found_in_every_known_place(name: str) -> None:
    assert used(("word " * 20, {}), ("", PLACES[name])) == (100, 63)


STREAMS: dict[str, tuple[list[tuple[int, Fields]], tuple[int, int]]] = {
    # characters so far, and the report
    "the same on two chunks of long words": ([(400, usage(100, 60)), (800, usage(100, 60))], (100, 60)),
    "the same on three chunks and at the end": (
        [(280, usage(100, 120)), (560, usage(100, 120)), (840, usage(100, 120)), (840, usage(100, 120))], (100, 120)),
    "the same beside much white space": ([(2500, usage(50, 300)), (5000, usage(50, 300))], (50, 300)),
    "the same on all chunks": ([(4 * at, usage(100, 60)) for at in range(1, 61)], (100, 60)),
    "two totals, the first before any word": ([(0, usage(100, 30)), (500, usage(100, 90))], (100, 90)),
    "few totals of long words": ([(200 * at, usage(100, 25 * at)) for at in range(1, 5)], (100, 100)),
    "totals that stay at times": ([(4 * at, usage(100, at // 2)) for at in range(1, 201)], (100, 100)),
    "totals of hidden reasoning": ([(0, usage(10, 0, 510)), (20, usage(10, 5, 515)), (200, usage(10, 50, 560))],
                                   (10, 550)),
    "totals of the server's own steps": ([(400, usage(1000, 100)), (880, usage(2200, 220))], (2200, 220)),
    "Gemini's growing totals": (
        [(20 * at, usage(10, 5 * at, 410 + 5 * at)) for at in range(1, 11)], (10, 450)),
    "one at the beginning, and the whole at the end": (
        [(0, usage(100, 1)), *[(4 * at, usage(100, 1)) for at in range(1, 60)], (240, usage(100, 60))], (100, 60)),
    "what it may use, then what it has used": ([(0, usage(100, 4096)), (400, usage(100, 90))], (100, 90)),
    "a correction": ([(400, usage(100, 100)), (400, usage(100, 80))], (100, 80)),
    "the same again with its details": (
        [(250, usage(100, 63)), (250, usage(100, 63, prompt_tokens_details={"cached_tokens": 90}))], (100, 63)),
    "the prompt, then a token each": ([(0, usage(100, 0)), *[(4 * at, usage(0, 1)) for at in range(1, 61)]], (100, 60)),
    "the answers of the server's own steps": ([(400, usage(1000, 100)), (880, usage(1200, 120))], (2200, 220)),
}  # fmt: skip


@pytest.mark.parametrize("name", STREAMS)
def test_reports_of_one_answer_are_added_only_where_they_are_no_totals(name: str) -> None:
    reports, expected = STREAMS[name]
    chunks: list[tuple[str, Fields]] = []
    before = 0
    for by_then, usage in reports:
        chunks.append(("x" * (by_then - before), {"usage": usage}))
        before = by_then
    assert used(*chunks) == expected


def test_many_usage_fields_cost_no_more_than_parsing_them() -> None:
    names = {f"{'aB' * 20}{at}TokenCount": at for at in range(20_000)}
    assert used(("word", {"usage": names | usage(100, 63)})) == (100, 63)
