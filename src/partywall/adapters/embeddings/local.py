from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from anyio import CapacityLimiter, to_thread

from partywall.core.embedders import TextVectors, Vectors


class LocalEmbedder(ABC):
    """A model whose weights are in memory. It runs in at most `threads` threads at once."""

    def __init__(self, threads: int) -> None:
        self._limiter = CapacityLimiter(threads)

    async def embed_documents(self, texts: Sequence[str]) -> TextVectors:
        return TextVectors(await to_thread.run_sync(self._embed, list(texts), limiter=self._limiter))

    async def embed_query(self, text: str) -> Vectors:
        made = await self.embed_documents([text])
        return np.asarray(made.vectors[0], dtype=np.float32)

    async def ping(self) -> None:  # noqa: B027 - the weights are in memory
        """Always up."""

    async def close(self) -> None:  # noqa: B027 - it holds nothing open
        """Nothing to close."""

    @abstractmethod
    def _embed(self, texts: list[str]) -> Vectors: ...
