"""Embeds passages, with a backoff for models that do not answer.

Chunks are stored together with their vectors if the model is quick, and before them if it is not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import structlog

from partywall.core.backoff import grown
from partywall.core.embedders import Embedders, EmbeddingError, EmbeddingUnavailable, TextVectors
from partywall.features.search.chunk_repository import NewChunk
from partywall.features.search.index_repository import KnownIndex
from partywall.features.search.vectors import vector_text

log = structlog.get_logger(__name__)

FIRST_PAUSE: Final = 1.0
LONGEST_PAUSE: Final = 60.0
LONGEST_ASKED: Final = 3600.0

type Clock = Callable[[], float]


def waits_for(reason: str) -> str:
    """The note of a document without vectors; `reason` is the server's, or empty."""
    if not reason:
        return "Text search only until its vectors are computed"
    return f"Text search only until the embedding model answers: {reason}"


@dataclass(slots=True)
class ModelBackoff:
    """The pause after a model did not answer: doubles each time, or as long as the server asks, up to an hour."""

    clock: Clock = time.monotonic
    reason: str = ""
    _failures: int = 0
    _until: float = 0.0

    @property
    def seconds(self) -> float:
        """Seconds until the model may be called again."""
        return max(0.0, self._until - self.clock())

    def begin(self, error: EmbeddingUnavailable) -> None:
        if self.seconds > 0:  # a call that had started before the pause
            return
        own = grown(FIRST_PAUSE, self._failures + 1, LONGEST_PAUSE)
        asked = min(error.retry_after or 0.0, LONGEST_ASKED)
        self._failures += 1
        self._until, self.reason = self.clock() + max(own, asked), str(error)
        log.warning("embedding_model_away", seconds=round(max(own, asked), 1), reason=self.reason)

    def end(self) -> None:
        self._failures, self._until, self.reason = 0, 0.0, ""


@dataclass(frozen=True, slots=True)
class EmbeddedPassages:
    """Chunks, and one vector per chunk for every model that answered; the keys are the models' names.

    `refused`, `shortened` and `waits` belong to the serving index's model; `waits` says why there are no vectors yet.
    """

    chunks: Sequence[NewChunk]
    vectors: Mapping[str, Sequence[str]] = field(default_factory=dict)
    refused: Mapping[int, str] = field(default_factory=dict)
    shortened: frozenset[int] = frozenset()
    waits: str | None = None

    def of(self, document_ids: set[UUID]) -> EmbeddedPassages:
        """Chunks and vectors of these documents only."""
        kept = [position for position, chunk in enumerate(self.chunks) if chunk.document_id in document_ids]
        if len(kept) == len(self.chunks):
            return self
        return EmbeddedPassages(
            [self.chunks[position] for position in kept],
            {model: [vectors[position] for position in kept] for model, vectors in self.vectors.items()},
        )


@dataclass(frozen=True, slots=True)
class PassageVectors:
    """The models of this process, and the backoff of each."""

    embedders: Embedders
    clock: Clock = time.monotonic
    _pauses: dict[str, ModelBackoff] = field(default_factory=dict)

    def pause(self, model: str) -> ModelBackoff:
        return self._pauses.setdefault(model, ModelBackoff(self.clock))

    def serving(self, indexes: Sequence[KnownIndex]) -> str:
        """The model of the active index; without one, the configured model, which a project's first index uses."""
        current = self.embedders.current.name
        return next((index.model for index in indexes if index.status == "active"), current)

    async def embed(self, indexes: Sequence[KnownIndex], chunks: Sequence[NewChunk]) -> EmbeddedPassages:
        """Embeds with the quick models. Raises EmbeddingError if the serving one fails."""
        serving = self.serving(indexes)
        texts = [chunk.indexed for chunk in chunks]
        made: dict[str, TextVectors] = {}
        waits: str | None = None
        for model in sorted({serving, *(index.model for index in indexes)}):
            try:
                if not await self._is_slow(model):
                    found = await self.ask(model, texts)
                    made |= {} if found is None else {model: found}
                elif model == serving or self.pause(model).seconds == 0:
                    waits = waits_for(self.pause(serving).reason)
            except EmbeddingError as error:
                if model != serving:
                    log.warning("model_left_out", model=model, reason=str(error))
                elif isinstance(error, EmbeddingUnavailable):
                    waits = waits_for(str(error))
                else:
                    raise
        vectors = {model: [vector_text(vector) for vector in each.vectors] for model, each in made.items()}
        noted = made.get(serving)
        if noted is None:
            return EmbeddedPassages(chunks, vectors, waits=waits)
        return EmbeddedPassages(chunks, vectors, noted.refused, noted.shortened, waits)

    async def ask(self, model: str, texts: Sequence[str]) -> TextVectors | None:
        """None if this machine lacks the model; its index then gets no vectors. Raises EmbeddingError."""
        embedder = await self.embedders.named(model)
        if embedder is None:
            log.warning("model_not_available", model=model)
            return None
        pause = self.pause(model)
        if pause.seconds > 0:
            raise EmbeddingUnavailable(pause.reason, pause.seconds)
        try:
            made = await embedder.embed_documents(texts)
        except EmbeddingUnavailable as error:
            if error.by_all:
                pause.begin(error)
            raise
        if made.unavailable is None:
            pause.end()
        elif made.unavailable.by_all:
            pause.begin(made.unavailable)
        return made

    async def _is_slow(self, model: str) -> bool:
        embedder = await self.embedders.named(model)
        return embedder is not None and not embedder.is_quick
