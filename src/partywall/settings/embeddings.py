from __future__ import annotations

from datetime import timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from partywall.settings.base import HOUR, MILLISECOND, MINUTE, SECOND, Section
from partywall.settings.values import Key, Text, WebAddress


class EmbeddingSettings(Section):
    engine: Literal["wordllama", "minilm", "e5", "openai"] = "wordllama"
    url: WebAddress | None = None
    model: Text | None = None
    api_key: Key | None = None
    dimension: int | None = Field(
        default=None, ge=1, le=4000, description="Of an endpoint's vectors; without it, the endpoint is asked at start."
    )
    timeout: timedelta = Field(
        default=5 * MINUTE,
        ge=SECOND,
        le=HOUR,
        description="For all requests to an endpoint in one call for passages, including retries and pauses.",
    )
    query_timeout: timedelta = Field(
        default=10 * SECOND, ge=100 * MILLISECOND, le=5 * MINUTE, description="The same, for a search."
    )
    batch_size: int = Field(default=32, ge=1, le=2048, description="Maximum texts in one request to an endpoint.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.engine == "openai" and None in (self.url, self.model):
            raise ValueError("EMBEDDINGS__ENGINE=openai needs EMBEDDINGS__URL and EMBEDDINGS__MODEL")
        return self
