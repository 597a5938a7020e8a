"""Tracks what a model call sends and receives, so that interrupted calls can be counted too."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from pydantic_ai import RunContext
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings

from partywall.features.budgets.pricing import characters_sent


@dataclass(slots=True)
class ModelCall:
    """The current model call: `asked` is the number of characters sent; `answer` is what has arrived so far."""

    asked: int = 0
    _model: Model | None = None
    _answer: StreamedResponse | None = None

    def begin(self) -> None:
        self.asked, self._model, self._answer = 0, None, None

    def send(self, model: Model, messages: list[ModelMessage], parameters: ModelRequestParameters) -> None:
        self._model, self.asked = model, characters_sent(messages, parameters)

    def answered_by(self, answer: StreamedResponse) -> None:
        self._answer = answer

    @property
    def answer(self) -> ModelResponse | None:
        """None if the answer has not started."""
        return self._answer.get() if self._answer else None

    @property
    def silence(self) -> ModelResponse | None:
        """An empty, interrupted answer of the first model; None if nothing was sent."""
        model = self._model
        if isinstance(model, FallbackModel):
            model = model.models[0]
        if model is None:
            return None
        return ModelResponse(
            parts=[],
            model_name=model.model_name,
            provider_name=model.system,
            provider_url=model.base_url,
            state="interrupted",
        )


class MeteredModel(WrapperModel):
    """Records requests and answers in a ModelCall."""

    def __init__(self, wrapped: Model, model_call: ModelCall) -> None:
        super().__init__(wrapped)
        self._model_call = model_call

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[object] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        self._model_call.send(self.wrapped, messages, model_request_parameters)
        opening = self.wrapped.request_stream(messages, model_settings, model_request_parameters, run_context)
        async with opening as answer:
            self._model_call.answered_by(answer)
            yield answer
