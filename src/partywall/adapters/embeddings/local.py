from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from anyio import CapacityLimiter, to_thread

from partywall.core.embedders import TextVectors, Vectors


class LocalEmbedder(ABC):
    """A model on this machine. It runs in at most `threads` threads at once.

    A thread cannot be stopped, so a call gives it only `texts_at_once`: others get their turn soon, and so does a stop.
    """

    def __init__(self, threads: int, texts_at_once: int) -> None:
        self._limiter = CapacityLimiter(threads)
        self._texts_at_once = texts_at_once

    async def embed_documents(self, texts: Sequence[str]) -> TextVectors:
        found = [np.zeros((0, self.dimension), dtype=np.float32)]
        for start in range(0, len(texts), self._texts_at_once):
            part = list(texts[start : start + self._texts_at_once])
            found.append(await to_thread.run_sync(self._embed, part, limiter=self._limiter))
        return TextVectors(np.concatenate(found))

    async def embed_query(self, text: str) -> Vectors:
        made = await to_thread.run_sync(self._embed_query, text, limiter=self._limiter)
        return np.asarray(made[0], dtype=np.float32)

    async def ping(self) -> None:  # noqa: B027 - the weights are in memory
        """Always up."""

    async def close(self) -> None:  # noqa: B027 - it holds nothing open
        """Nothing to close."""

    @property
    @abstractmethod
    def dimension(self) -> int: ...

    @abstractmethod
    def _embed(self, texts: list[str]) -> Vectors: ...

    def _embed_query(self, text: str) -> Vectors:
        """Shape (1, dimension)."""
        return self._embed([text])
