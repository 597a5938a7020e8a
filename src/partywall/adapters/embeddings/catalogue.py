from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, assert_never

import httpx2

from partywall.adapters.embeddings.minilm import load_minilm
from partywall.adapters.embeddings.openai import OpenAiEmbedder, OpenAiOptions, options_of
from partywall.adapters.embeddings.wordllama import load_wordllama
from partywall.core.embedders import Embedder, EmbeddingError

type LocalEngine = Literal["wordllama", "minilm"]


@dataclass(frozen=True, slots=True)
class EmbedderCatalogue:
    """The configured embedder, and those that older indexes need: local ones and other models at the endpoint."""

    current: Embedder
    models: Path
    another: Callable[[str], Embedder | None]
    _others: dict[str, Embedder | None]
    _lock: asyncio.Lock

    async def named(self, name: str) -> Embedder | None:
        if name == self.current.name:
            return self.current
        async with self._lock:
            if name not in self._others:
                self._others[name] = await self._load(name)
            return self._others[name]

    async def ping(self) -> None:
        await self.current.ping()

    async def close(self) -> None:
        for embedder in (self.current, *self._others.values()):
            if embedder is not None:
                await embedder.close()

    async def _load(self, name: str) -> Embedder | None:
        """Loads this model only: each stays in memory as long as the process runs."""
        if (elsewhere := self.another(name)) is not None:
            return elsewhere
        try:
            embedder = await asyncio.to_thread(_load_local, name, self.models)
        except EmbeddingError:
            return None
        return embedder if embedder is not None and embedder.name == name else None


def _load_local(name: str, models: Path) -> Embedder | None:
    if name.startswith("wordllama-"):
        return load_wordllama()
    return load_minilm(models) if name.startswith("all-MiniLM-") else None


async def open_catalogue(
    engine: LocalEngine | OpenAiOptions, *, models: Path, client: httpx2.AsyncClient
) -> EmbedderCatalogue:
    """Loads the configured model. Raises EmbeddingError if it is not installed."""
    current = await _open(engine, models, client)

    def another(name: str) -> Embedder | None:
        options = options_of(name, engine) if isinstance(engine, OpenAiOptions) else None
        return None if options is None else OpenAiEmbedder(client, options)

    return EmbedderCatalogue(current, models, another, {}, asyncio.Lock())


async def _open(engine: LocalEngine | OpenAiOptions, models: Path, client: httpx2.AsyncClient) -> Embedder:
    match engine:
        case OpenAiOptions():
            return OpenAiEmbedder(client, engine)
        case "wordllama":
            return await asyncio.to_thread(load_wordllama)
        case "minilm":
            return await asyncio.to_thread(load_minilm, models)
        case _:
            assert_never(engine)
