"""BERT's encoder in numpy, with the mean of its last layer as the embedding of a text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import accumulate, pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from partywall.core.embedders import Vectors

type Array = NDArray[np.float32]
type Ids = NDArray[np.int64]

_HEADS: Final = 12
_BATCH_TOKENS: Final = 512  # what fits the caches of a core
_GELU_VALUES: Final = 64 * 1024


class BertEncoder:
    """`weights` have the names of BERT's checkpoints; `words` gives the embeddings of tokens."""

    def __init__(self, weights: Mapping[str, Array], words: Callable[[Ids], Array], *, layers: int) -> None:
        self._weights = weights
        self._words = words
        self._layers = layers
        self.dimension: int = weights["embeddings.LayerNorm.bias"].shape[0]

    def embed(self, texts: Sequence[Sequence[int]]) -> Vectors:
        """Vectors of length 1 for texts of at least one token each; shape (len(texts), dimension)."""
        found = [self._embed_batch(batch) for batch in _batches(texts)]
        return np.concatenate([np.zeros((0, self.dimension), dtype=np.float32), *found])

    def _embed_batch(self, texts: list[Sequence[int]]) -> Vectors:
        """All tokens are rows of one matrix, so that nothing is computed for padding."""
        bounds = list(accumulate(map(len, texts), initial=0))
        ids = np.concatenate([np.asarray(text, dtype=np.int64) for text in texts])
        positions = np.concatenate([np.arange(len(text)) for text in texts])
        hidden = self._words(ids) + self._weights["embeddings.position_embeddings.weight"][positions]
        hidden += self._weights["embeddings.token_type_embeddings.weight"][0]
        hidden = self._normalise(hidden, "embeddings.LayerNorm")
        for layer in range(self._layers):
            hidden = self._layer(hidden, bounds, f"encoder.layer.{layer}.")
        pooled: Array = np.add.reduceat(hidden, bounds[:-1], axis=0)
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)

    def _layer(self, hidden: Array, bounds: list[int], prefix: str) -> Array:
        attended = self._linear(self._attention(hidden, bounds, prefix), f"{prefix}attention.output.dense")
        hidden = self._normalise(hidden + attended, f"{prefix}attention.output.LayerNorm")
        wide = self._linear(hidden, f"{prefix}intermediate.dense")
        _gelu(wide)
        return self._normalise(hidden + self._linear(wide, f"{prefix}output.dense"), f"{prefix}output.LayerNorm")

    def _attention(self, hidden: Array, bounds: list[int], prefix: str) -> Array:
        tokens, width = hidden.shape
        size = width // _HEADS
        query, key, value = (
            self._linear(hidden, f"{prefix}attention.self.{part}").reshape(tokens, _HEADS, size).transpose(1, 0, 2)
            for part in ("query", "key", "value")
        )
        query *= np.float32(size**-0.5)
        attended = np.empty((tokens, _HEADS, size), dtype=np.float32)
        for start, end in pairwise(bounds):
            scores: Array = query[:, start:end] @ key[:, start:end].transpose(0, 2, 1)
            scores -= scores.max(axis=-1, keepdims=True)
            np.exp(scores, out=scores)
            scores /= scores.sum(axis=-1, keepdims=True)
            attended[start:end] = (scores @ value[:, start:end]).transpose(1, 0, 2)
        return attended.reshape(tokens, width)

    def _linear(self, x: Array, part: str) -> Array:
        product: Array = x @ self._weights[f"{part}.weight"].T
        product += self._weights[f"{part}.bias"]
        return product

    def _normalise(self, x: Array, part: str) -> Array:
        x -= x.mean(axis=-1, keepdims=True, dtype=np.float32)
        variance = np.einsum("ij,ij->i", x, x)[:, None] / np.float32(x.shape[1])
        x /= np.sqrt(variance + np.float32(1e-12), dtype=np.float32)
        x *= self._weights[f"{part}.weight"]
        x += self._weights[f"{part}.bias"]
        return x


def _batches(texts: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
    """Neighbours with at most _BATCH_TOKENS tokens together, unless it is one text."""
    batch: list[Sequence[int]] = []
    for text in texts:
        if batch and sum(map(len, batch)) + len(text) > _BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch


def _gelu(x: Array) -> None:
    """In place: x times the normal distribution, by Abramowitz and Stegun 7.1.26 (error below 1.5e-7)."""
    flat = x.reshape(-1)
    for start in range(0, len(flat), _GELU_VALUES):  # parts that fit the caches
        part = flat[start : start + _GELU_VALUES]
        positive = np.abs(part)
        scaled = positive * np.float32(2**-0.5)
        t = 1 / (1 + np.float32(0.3275911) * scaled)
        tail = np.float32(1.061405429) * t
        for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
            tail += np.float32(coefficient)
            tail *= t
        scaled *= scaled
        tail *= np.exp(np.negative(scaled, out=scaled), out=scaled)
        tail *= positive
        tail *= np.float32(0.5)
        np.maximum(part, 0, out=part)
        part -= tail
