from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import httpx2

from partywall.adapters.embeddings.openai import OpenAiEmbedder, OpenAiOptions, options_of, with_dimension
from partywall.core.embedders import Embedder, EmbeddingError
from partywall.core.lazy import Lazy, lazy

type LocalEngine = Literal["wordllama", "minilm", "e5"]
type Load = Callable[[Path], Embedder]

# Imported by the processes that use the model.
_LOCAL: Final[dict[LocalEngine, Lazy[Load]]] = {
    "wordllama": lazy("partywall.adapters.embeddings.wordllama:load_wordllama"),
    "minilm": lazy("partywall.adapters.embeddings.minilm:load_minilm"),
    "e5": lazy("partywall.adapters.embeddings.e5:load_e5"),
}
# How the names of the indexes of a model begin.
_BEGINNINGS: Final[dict[str, LocalEngine]] = {
    "wordllama-": "wordllama",
    "all-MiniLM-": "minilm",
    "multilingual-e5-small-": "e5",
}


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
    engine = next((engine for beginning, engine in _BEGINNINGS.items() if name.startswith(beginning)), None)
    return None if engine is None else _LOCAL[engine].load()(models)


async def open_catalogue(
    engine: LocalEngine | OpenAiOptions, *, models: Path, client: httpx2.AsyncClient | None
) -> EmbedderCatalogue:
    """Loads the configured model, which is not installed if this raises EmbeddingError; an endpoint needs `client`."""
    if not isinstance(engine, OpenAiOptions):
        current = await asyncio.to_thread(lambda: _LOCAL[engine].load()(models))
        return EmbedderCatalogue(current, models, lambda _name: None, {}, asyncio.Lock())
    assert client is not None
    known = await with_dimension(client, engine)

    def another(name: str) -> Embedder | None:
        options = options_of(name, known)
        return None if options is None else OpenAiEmbedder(client, options)

    return EmbedderCatalogue(OpenAiEmbedder(client, known), models, another, {}, asyncio.Lock())
