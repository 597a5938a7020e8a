"""The reranker port: a model that reads query and passage together, and judges better than either half of a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class RerankError(Exception):
    """The model cannot judge now; the message says why and contains no secret."""


class Reranker(Protocol):
    @property
    def candidates(self) -> int:
        """How many of a search's best passages it is asked to judge."""
        ...

    async def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """How well each text answers the query, within 0..1; raises RerankError."""
        ...
