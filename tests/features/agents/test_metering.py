from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic_ai.messages import FinishReason, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_ai.models import Model
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.usage import RequestUsage

from partywall.features.agents.metering import Exchange
from partywall.features.agents.pricing import cost_of, counted


def model(name: str) -> Model:
    return OpenAIChatModel(name, provider=OpenAIProvider(base_url="https://api.openai.com/v1", api_key="none"))


@pytest.mark.parametrize(
    ("reported", "finish", "expected"),
    [(1, None, 100), (0, None, 100), (250, None, 250), (80, "stop", 80), (0, "stop", 100)],
)
def test_what_a_cut_off_answer_says_at_its_beginning_is_not_the_whole(
    reported: int, finish: FinishReason | None, expected: int
) -> None:
    usage = RequestUsage(input_tokens=40, output_tokens=reported)
    response = ModelResponse([TextPart("x" * 400)], usage=usage, finish_reason=finish, state="incomplete")
    found = counted(response, 4)
    assert (found.input_tokens, found.output_tokens) == (40, expected)


@pytest.mark.parametrize("asked", [model("gpt-4o"), FallbackModel(model("gpt-4o"), model("unknown"))])
def test_a_request_without_an_answer_has_the_price_of_the_model_that_was_asked_first(asked: Model) -> None:
    exchange = Exchange()
    assert Exchange().silence is None
    exchange.send(asked, [ModelRequest([UserPromptPart("x" * 4_000_000)])])
    assert exchange.answer is None
    silence = exchange.silence
    assert silence is not None
    silence.usage = counted(silence, exchange.asked)
    assert (silence.usage.input_tokens, silence.usage.output_tokens) == (1_000_000, 0)
    cost = cost_of(silence)
    assert cost is not None
    assert cost > Decimal(0)
