"""What a model's cosine similarities mean: how similar it finds texts that have nothing in common, and that belong
together.

Models differ much: 0.3 is a good match for one and less than chance for another. So each is measured once in a process,
with questions and answers of which we know what belongs together.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import structlog

from partywall.core.embedders import Embedder, EmbeddingError

log = structlog.get_logger(__name__)

_SECONDS: Final = 5.0
"""A search waits so long for the measurement of a slow model."""
_RETRY_SECONDS: Final = 60.0

PAIRS: Final = (
    ("when do I get my money back", "Refunds are paid within ten days after the goods have come back to the shop."),
    ("how do I reset my password", "Choose a new password in the settings of your account; the old one ends at once."),
    ("which trains run at night", "The last train leaves at midnight, and on Saturdays trains run all night."),
    ("how many days of holiday do employees have", "Every employee has thirty days of paid leave a year."),
    ("does aspirin prevent heart attacks", "In four thousand patients, aspirin reduced the risk of a heart attack."),
    ("how to copy a file to another server", "The command copies files between two machines, encrypted."),
    ("when will the machines be delivered", "The supplier delivers the machines by the first of March at the latest."),
    ("how long does the dough have to rest", "Knead flour, water and yeast, and let the dough rise for two hours."),
)


@dataclass(frozen=True, slots=True)
class SimilarityScale:
    """Similarities up to `unrelated` mean nothing; from `alike` on, two texts hardly fit better."""

    unrelated: float
    alike: float

    def share(self, similarity: float) -> float:
        """Where the similarity is between the two, within 0..1."""
        return min(1.0, max(0.0, (similarity - self.unrelated) / (self.alike - self.unrelated)))


@dataclass(slots=True)
class SimilarityScales:
    """The models' scales, each measured on first use."""

    clock: Callable[[], float] = time.monotonic
    _known: dict[str, SimilarityScale | None] = field(default_factory=dict)
    _retry_at: dict[str, float] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def of(self, model: Embedder) -> SimilarityScale | None:
        """None if the model cannot tell texts apart, or does not answer in time; then it is asked again later."""
        async with self._lock:
            if model.name not in self._known and self.clock() >= self._retry_at.get(model.name, 0.0):
                try:
                    async with asyncio.timeout(_SECONDS):
                        self._known[model.name] = await _measured(model)
                except (EmbeddingError, TimeoutError) as error:
                    self._retry_at[model.name] = self.clock() + _RETRY_SECONDS
                    log.warning("similarities_not_measured", model=model.name, reason=str(error))
        return self._known.get(model.name)


async def _measured(model: Embedder) -> SimilarityScale | None:
    asked = [question for question, _ in PAIRS]
    made = await model.embed_documents([*asked, *(answer for _, answer in PAIRS)])
    if made.refused or made.failed or made.left:
        raise EmbeddingError("the model embeds only some of the texts")
    similar = made.vectors[: len(PAIRS)] @ made.vectors[len(PAIRS) :].T
    matching = np.eye(len(PAIRS), dtype=bool)
    alike, others = similar[matching], similar[~matching]
    scale = SimilarityScale(float(others.mean() + 2 * others.std()), float(alike.mean() + alike.std()))
    return scale if scale.unrelated < float(alike.mean()) else None
