from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from partywall.core.embedders import EmbeddingUnavailable, TextVectors, Vectors
from partywall.core.similarity import PAIRS, SimilarityScale, SimilarityScales


@dataclass
class Model:
    """Puts each question `near` its answer, and all texts `apart` from 0 in a common direction."""

    near: float
    apart: float = 0.0
    away: bool = False
    left: frozenset[int] = frozenset()
    calls: int = 0
    name: str = "a-model"
    dimension: int = len(PAIRS) * 2 + 1
    is_quick: bool = True

    def reads(self, text: str) -> bool:
        return True

    async def embed_documents(self, texts: Sequence[str]) -> TextVectors:
        self.calls += 1
        if self.away:
            raise EmbeddingUnavailable("down")
        own = np.eye(len(texts), self.dimension - 1, dtype=np.float32)
        half = len(texts) // 2
        own[half:] = self.near * own[:half] + (1 - self.near**2) ** 0.5 * own[half:]
        common = np.full((len(texts), 1), self.apart**0.5, dtype=np.float32)
        return TextVectors(np.hstack([(1 - self.apart) ** 0.5 * own, common]), left=self.left)

    async def embed_query(self, text: str) -> Vectors:
        raise NotImplementedError

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


@pytest.mark.parametrize("apart", [0.0, 0.7])
async def test_a_model_is_measured_once_and_on_its_own_scale(apart: float) -> None:
    model, scales = Model(0.8, apart), SimilarityScales()
    scale = await scales.of(model)
    assert scale is not None
    assert (scale.unrelated, scale.alike) == pytest.approx((apart, apart + (1 - apart) * 0.8), abs=1e-5)
    assert await scales.of(model) == scale
    assert model.calls == 1


async def test_a_model_that_cannot_tell_texts_apart_has_no_scale() -> None:
    assert await SimilarityScales().of(Model(0.0)) is None


async def test_a_model_that_is_away_is_measured_later() -> None:
    now = 100.0
    model, scales = Model(0.8, away=True), SimilarityScales(clock=lambda: now)
    assert await scales.of(model) is None
    model.away, model.left = False, frozenset({3})
    assert await scales.of(model) is None
    assert model.calls == 1, "not asked again at once"
    now += 60
    assert await scales.of(model) is None, "it embeds only some of the texts"
    model.left = frozenset()
    now += 60
    assert await scales.of(model) is not None


def test_a_share_is_within_its_bounds() -> None:
    scale = SimilarityScale(0.2, 0.7)
    assert [scale.share(each) for each in (-1, 0.2, 0.45, 0.7, 1)] == pytest.approx([0, 0, 0.5, 1, 1])
