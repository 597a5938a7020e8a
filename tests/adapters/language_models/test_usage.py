"""Usage as servers report it, and the totals of a whole response."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import pytest

from partywall.adapters.language_models.answers import Answer, ServerEvent

type Fields = dict[str, object]

WORD = "word"  # a token each, by the rule of thumb


def usage(prompt: int | None, completion: int | None, **more: object) -> Fields:
    counts = {"prompt_tokens": prompt, "completion_tokens": completion}
    return {name: value for name, value in counts.items() if value is not None} | more


def chunk(words: int, usage: Fields | None, **fields: object) -> Fields:
    delta = {"role": "assistant", "content": WORD * words} if words else {}
    return {"choices": [{"index": 0, "delta": delta}], "usage": usage} | fields


def read(chunks: Sequence[Fields]) -> list[Fields]:
    """The reported usage once the chunks have passed."""
    answer = Answer()
    passed = [orjson.loads(answer.take(ServerEvent(b"", orjson.dumps(each))).data) for each in chunks]
    return [each["usage"] for each in passed if each["usage"] is not None]


def used(chunks: Sequence[Fields]) -> tuple[object, object]:
    *_, last = read(chunks)
    return last["prompt_tokens"], last["completion_tokens"]


TOTALS = [chunk(1, usage(4900, at)) for at in range(1, 101)]
PIECES = [chunk(3, usage(0, 3)) for _ in range(20)]
CASES: dict[str, tuple[list[Fields], tuple[int, int]]] = {
    "at the end": ([chunk(30, None), chunk(0, usage(40, 30))], (40, 30)),
    "running totals": (TOTALS, (4900, 100)),
    "running totals and again at the end": ([*TOTALS, *[chunk(0, usage(4900, 100))] * 2], (4900, 100)),
    "running totals, corrected at the end": ([*TOTALS, chunk(0, usage(4890, 99))], (4890, 99)),
    "running totals, then nothing": ([*TOTALS, chunk(0, usage(0, 0))], (4900, 100)),
    "running totals now and then": ([chunk(1, usage(40, at // 10 * 10 + 10)) for at in range(100)], (40, 100)),
    "running totals of few tokens": ([chunk(2, usage(40, at)) for at in range(1, 101)], (40, 100)),
    "running totals of hidden reasoning": ([chunk(1, usage(40, 5000 + at)) for at in range(100)], (40, 5099)),
    "the prompt first": ([chunk(0, usage(40, 1)), *(chunk(1, usage(0, at)) for at in range(2, 31))], (40, 30)),
    "pieces": ([chunk(0, usage(40, 0)), *PIECES], (40, 60)),
    "pieces with the prompt each": ([chunk(3, usage(40, 3)) for _ in range(20)], (40, 60)),
    "uneven pieces": ([chunk(at % 5 + 1, usage(None, at % 5 + 1)) for at in range(20)], (0, 60)),
    "pieces and their sum": ([chunk(0, usage(40, 0)), *PIECES, chunk(0, usage(40, 60))], (40, 60)),
    "steps of the server's own": (
        [chunk(100, None), chunk(0, usage(1000, 100)), chunk(80, None), chunk(0, usage(1200, 80))],
        (2200, 180),
    ),
    "growing steps of the server's own": ([chunk(100, usage(1000, 100)), chunk(120, usage(1200, 120))], (2200, 220)),
    "Groq's": ([chunk(30, None, x_groq={"id": "x", "usage": usage(40, 30)})], (40, 30)),
    "Moonshot's": ([{"choices": [{"index": 0, "delta": {"content": WORD}, "usage": usage(40, 1)}]}], (40, 1)),
    "text": ([chunk(3, {"prompt_tokens": "40", "completion_tokens": "3.0", "total_tokens": "43"})], (40, 3)),
    "floats": ([chunk(3, usage(40, 0) | {"completion_tokens": 3.0})], (40, 3)),
    "half of it unreadable": ([chunk(3, {"prompt_tokens": "many", "completion_tokens": "3"})], (0, 3)),
    "other names": ([chunk(3, {"input_tokens": 40, "output_tokens": 3})], (40, 3)),
    "one half and a total": ([chunk(3, {"completion_tokens": 3, "total_tokens": 43})], (40, 3)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_a_response_counts_once_in_every_form_of_usage(name: str) -> None:
    chunks, expected = CASES[name]
    assert used(chunks) == expected


def test_usage_so_far_never_exceeds_the_totals() -> None:
    """A call that is cut off has used what was reported so far."""
    assert [each["completion_tokens"] for each in read(TOTALS)] == list(range(1, 101))
    assert {each["prompt_tokens"] for each in read(TOTALS)} == {4900}


def test_details_are_not_counted_twice() -> None:
    cached = {"prompt_tokens_details": {"cached_tokens": 30}}
    *_, last = read([chunk(1, usage(40, at, **cached)) for at in range(1, 10)])
    assert last["prompt_tokens_details"] == {"cached_tokens": 30}
    *_, last = read([chunk(3, usage(0, 3, completion_tokens_details={"reasoning_tokens": 1})) for _ in range(20)])
    assert last["completion_tokens_details"] == {"reasoning_tokens": 20}


def test_the_number_of_usage_fields_is_bounded() -> None:
    *_, last = read([chunk(1, usage(4, at, **{f"x{at}": at})) for at in range(1, 500)])
    assert (last["prompt_tokens"], last["completion_tokens"]) == (4, 499)
    assert len(last) < 100


def test_counts_that_anthropic_omits_later_are_kept() -> None:
    began = {"type": "message_start", "message": {"usage": {"input_tokens": 25, "output_tokens": 1}}}
    ended = {"type": "message_delta", "delta": {}, "usage": {"input_tokens": 0, "output_tokens": 15}}
    *_, last = [
        orjson.loads(event.data)
        for answer in [Answer()]
        for event in [answer.take(ServerEvent(b"", orjson.dumps(each))) for each in (began, ended)]
    ]
    assert last["usage"] == {"input_tokens": 25, "output_tokens": 15}


@pytest.mark.parametrize(
    "unread",
    [
        "4000",
        [4000],
        {"prompt_tokens": "x"},
        {"prompt_tokens": [1]},
        {"input_tokens": True, "output_tokens": {}},
        {"prompt_tokens": "nan", "prompt_tokens_details": "none"},
    ],
)
@pytest.mark.parametrize("place", ["top", "message", "x_groq", "choice"])
def test_unreadable_usage_falls_back_to_the_estimate(unread: object, place: str) -> None:
    """Whatever is passed on, the reader finds no count in it and nothing that it cannot parse."""
    event: Fields = {"choices": [{"index": 0, "delta": {"content": WORD}}]}
    match place:
        case "top":
            event["usage"] = unread
        case "choice":
            event = {"choices": [{"index": 0, "delta": {"content": WORD}, "usage": unread}]}
        case _:
            event[place] = {"usage": unread}
    passed = orjson.loads(Answer().take(ServerEvent(b"", orjson.dumps(event))).data)
    places = (passed, passed.get("message"), passed.get("x_groq"), passed["choices"][0])
    for usage in [holder.get("usage") for holder in places if holder is not None]:
        assert usage is None or not any(usage.values())


@pytest.mark.parametrize("unread", ["x", None, {"input_tokens": "x", "output_tokens": None}])
def test_anthropics_reader_always_finds_both_counts(unread: object) -> None:
    began = {"type": "message_start", "message": {"usage": unread or "none"}}
    passed = orjson.loads(Answer().take(ServerEvent(b"", orjson.dumps(began))).data)
    assert passed["message"]["usage"] == {"input_tokens": 0, "output_tokens": 0}
