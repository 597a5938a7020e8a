from __future__ import annotations

from decimal import Decimal

import pytest
from pydantic_ai.messages import FinishReason, ModelMessage, ModelRequest, ModelResponse, TextPart, UserPromptPart
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.usage import RequestUsage

from partywall.features.budgets.pricing import characters_sent, cost_of, counted
from partywall.features.runs.execution.model_call import ModelCall


def model(name: str) -> Model:
    return OpenAIChatModel(name, provider=OpenAIProvider(base_url="https://api.openai.com/v1", api_key="none"))


@pytest.mark.parametrize(
    ("reported", "finish", "expected"),
    [(1, None, 100), (0, None, 100), (250, None, 250), (80, "stop", 80), (0, "stop", 100)],
)
def test_usage_at_the_start_of_an_interrupted_answer_is_incomplete(
    reported: int, finish: FinishReason | None, expected: int
) -> None:
    usage = RequestUsage(input_tokens=40, output_tokens=reported)
    response = ModelResponse([TextPart("x" * 400)], usage=usage, finish_reason=finish, state="incomplete")
    found = counted(response, 4)
    assert (found.input_tokens, found.output_tokens) == (40, expected)


@pytest.mark.parametrize("asked", [model("gpt-4o"), FallbackModel(model("gpt-4o"), model("unknown"))])
def test_a_request_without_an_answer_costs_the_first_models_price(asked: Model) -> None:
    model_call = ModelCall()
    assert ModelCall().silence is None
    model_call.send(asked, [ModelRequest([UserPromptPart("x" * 4_000_000)])], ModelRequestParameters())
    assert model_call.answer is None
    silence = model_call.silence
    assert silence is not None
    silence.usage = counted(silence, model_call.asked)
    assert (silence.usage.input_tokens, silence.usage.output_tokens) == (1_000_000, 0)
    cost = cost_of(silence)
    assert cost is not None
    assert cost > Decimal(0)


def test_instructions_are_sent_once_and_everything_that_describes_tools_and_output() -> None:
    parts = [UserPromptPart("x" * 100)]
    messages: list[ModelMessage] = [
        ModelRequest(parts, instructions="i" * 10),
        ModelRequest(parts, instructions="i" * 10),
    ]
    assert characters_sent(messages, ModelRequestParameters()) == 210
    tool = ToolDefinition(name="t" * 100, description="d" * 100, parameters_json_schema={"title": "p" * 100})
    output = OutputObjectDefinition(json_schema={"title": "o" * 100})
    parameters = ModelRequestParameters(function_tools=[tool], output_tools=[tool], output_object=output)
    assert 910 < characters_sent(messages, parameters) < 1_100
