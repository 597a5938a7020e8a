"""Fallback chains of models, and their settings for streamed usage."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Final, cast

from pydantic_ai import RunContext
from pydantic_ai.exceptions import ModelAPIError
from pydantic_ai.messages import ModelMessage
from pydantic_ai.models import Model, ModelRequestParameters, StreamedResponse
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.wrapper import WrapperModel
from pydantic_ai.settings import ModelSettings, merge_model_settings

from partywall.core.model_failures import ModelBrokeOffError

# Makes the library read each chunk's usage as the total of the answer, which the transport computes. Servers are only
# asked for usage at the end: some refuse to send it with each chunk.
_TOTALS: Final = cast(
    "ModelSettings", {"openai_continuous_usage_stats": True, "extra_body": {"stream_options": {"include_usage": True}}}
)


def chained(models: Sequence[Model]) -> Model:
    """The first model, with the others as fallbacks in order."""
    return models[0] if len(models) == 1 else ModelChain(*models)


class ModelChain(FallbackModel):
    """The library falls back to the next model if one fails before its answer starts.

    If one fails later, raises ModelBrokeOffError with the remaining models, or the error itself if none remain.
    """

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[object] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        opening = super().request_stream(messages, model_settings, model_request_parameters, run_context)
        async with opening as response:
            failed = len(response.failed_attempts or ())
            others = self.models[failed + 1 :]
            try:
                yield response
            except ModelAPIError as error:
                if not others:
                    raise
                raise ModelBrokeOffError(error, chained(others)) from error


class ChatModel(WrapperModel):
    """A model of OpenAI's chat completions API, with usage as running totals."""

    @asynccontextmanager
    async def request_stream(
        self,
        messages: list[ModelMessage],
        model_settings: ModelSettings | None,
        model_request_parameters: ModelRequestParameters,
        run_context: RunContext[object] | None = None,
    ) -> AsyncGenerator[StreamedResponse]:
        settings = merge_model_settings(model_settings, _TOTALS)
        async with self.wrapped.request_stream(messages, settings, model_request_parameters, run_context) as response:
            yield response
