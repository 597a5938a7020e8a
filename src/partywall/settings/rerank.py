from __future__ import annotations

from datetime import timedelta
from typing import Self

from pydantic import Field, model_validator

from partywall.settings.base import MILLISECOND, MINUTE, SECOND, Section
from partywall.settings.values import Key, Text, WebAddress


class RerankSettings(Section):
    """Searches are reranked if there is a `url`."""

    url: WebAddress | None = None
    model: Text | None = None
    key: Key | None = None
    candidates: int = Field(default=30, ge=1, le=100, description="Passages that are judged for each search.")
    timeout: timedelta = Field(default=2 * SECOND, ge=100 * MILLISECOND, le=MINUTE, description="For one search.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.url is None and (self.model is not None or self.key is not None):
            raise ValueError("RERANK__MODEL and RERANK__KEY need RERANK__URL")
        return self
