from __future__ import annotations

import asyncio
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final

import numpy as np
from anyio import CapacityLimiter, to_thread
from tokenizers import Tokenizer

from partywall.core.embedders import TextVectors, Vectors

_MOST_THREADS: Final = 4
_EXAMINED: Final = 200  # characters


def has_words_of(tokenizer: Tokenizer, text: str) -> bool:
    """A model without words of a script has at least one token for each of its letters."""
    examined = text[:_EXAMINED]
    letters = [each for each in examined if each.isalpha()]
    if 2 * sum(map(str.isascii, letters)) >= len(letters):
        return True
    return len(tokenizer.encode(examined, add_special_tokens=False).ids) < len(letters)


class LocalEmbedder(ABC):
    """A model on this machine. It runs in a thread for each processor, at most four.

    A thread cannot be stopped, so it gets only `texts_at_once`: others get their turn soon, and so does a stop.
    """

    def __init__(self, texts_at_once: int) -> None:
        self._threads = min(os.cpu_count() or 1, _MOST_THREADS)
        self._limiter = CapacityLimiter(self._threads)
        self._texts_at_once = texts_at_once

    async def embed_documents(self, texts: Sequence[str]) -> TextVectors:
        """Calls take turns at the threads, part by part."""
        ours, step = asyncio.Semaphore(self._threads), self._texts_at_once

        async def embed(part: list[str]) -> Vectors:
            async with ours:
                return await to_thread.run_sync(self._embed, part, limiter=self._limiter)

        async with asyncio.TaskGroup() as group:
            starts = range(0, len(texts), step)
            parts = [group.create_task(embed(list(texts[start : start + step]))) for start in starts]
        empty = np.zeros((0, self.dimension), dtype=np.float32)
        return TextVectors(np.concatenate([empty, *(part.result() for part in parts)]))

    async def embed_query(self, text: str) -> Vectors:
        made = await to_thread.run_sync(self._embed_query, text, limiter=self._limiter)
        return np.asarray(made[0], dtype=np.float32)

    def reads(self, text: str) -> bool:  # noqa: ARG002 - others look at it
        """A model of many languages knows every script."""
        return True

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
