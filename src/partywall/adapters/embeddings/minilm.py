"""all-MiniLM-L6-v2 (Apache-2.0): a six-layer BERT encoder in numpy, from its official weights."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file
from tokenizers import Tokenizer

from partywall.adapters.embeddings.local import LocalEmbedder
from partywall.adapters.embeddings.minilm_files import WEIGHTS_SHA256, installed_files
from partywall.core.embedders import EmbeddingError, Vectors

type Array = NDArray[np.float32]

_NAME: Final = f"all-MiniLM-L6-v2@{WEIGHTS_SHA256[:12]}"
_DIMENSION: Final = 384
_HEADS: Final = 12
_LAYERS: Final = 6
_MAX_TOKENS: Final = 256  # what the model was trained on
_BATCH_TOKENS: Final = 512  # what fits the caches of a core


class MiniLmEmbedder(LocalEmbedder):
    """English sentences and short passages; ignores text after 256 tokens."""

    def __init__(self, tokenizer: Tokenizer, weights: dict[str, Array]) -> None:
        super().__init__(threads=1)  # the matrix products already use every core
        self._tokenizer = tokenizer
        self._weights = weights

    @property
    def name(self) -> str:
        return _NAME

    @property
    def dimension(self) -> int:
        return _DIMENSION

    @property
    def is_quick(self) -> bool:
        return False

    def _embed(self, texts: list[str]) -> Vectors:
        tokens = [encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)]
        order = sorted(range(len(texts)), key=lambda index: len(tokens[index]))
        vectors = np.zeros((len(texts), _DIMENSION), dtype=np.float32)
        start = 0
        while start < len(order):
            end = _batch_end(start, order, tokens)
            batch = order[start:end]
            vectors[batch] = self._forward([tokens[index] for index in batch])
            start = end
        return vectors

    def _forward(self, tokens: list[list[int]]) -> Vectors:
        """Mean of the last layer over the real tokens, scaled to length 1; shape (len(tokens), 384)."""
        length = max(map(len, tokens))
        ids = np.zeros((len(tokens), length), dtype=np.int64)
        mask = np.zeros((len(tokens), length), dtype=np.float32)
        for row, text in enumerate(tokens):
            ids[row, : len(text)] = text
            mask[row, : len(text)] = 1
        hidden = self._embeddings(ids)
        unseen = ((1 - mask) * np.float32(-1e9))[:, None, None, :]
        for layer in range(_LAYERS):
            hidden = self._layer(hidden, unseen, f"encoder.layer.{layer}.")
        pooled: Array = (hidden * mask[..., None]).sum(axis=1)
        return pooled / np.linalg.norm(pooled, axis=1, keepdims=True)

    def _embeddings(self, ids: NDArray[np.int64]) -> Array:
        table = self._weights
        words = table["embeddings.word_embeddings.weight"][ids]
        positions = table["embeddings.position_embeddings.weight"][: ids.shape[1]]
        kind = table["embeddings.token_type_embeddings.weight"][0]
        return self._normalise(words + positions + kind, "embeddings.LayerNorm")

    def _layer(self, hidden: Array, unseen: Array, prefix: str) -> Array:
        attended = self._linear(self._attention(hidden, unseen, prefix), f"{prefix}attention.output.dense")
        hidden = self._normalise(hidden + attended, f"{prefix}attention.output.LayerNorm")
        wide = _gelu(self._linear(hidden, f"{prefix}intermediate.dense"))
        return self._normalise(hidden + self._linear(wide, f"{prefix}output.dense"), f"{prefix}output.LayerNorm")

    def _attention(self, hidden: Array, unseen: Array, prefix: str) -> Array:
        batch, length, width = hidden.shape
        query, key, value = (
            self._linear(hidden, f"{prefix}attention.self.{part}")
            .reshape(batch, length, _HEADS, width // _HEADS)
            .transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        scale = np.float32((width // _HEADS) ** -0.5)
        scores: Array = query @ key.transpose(0, 1, 3, 2) * scale + unseen
        weights = _exp(scores - scores.max(axis=-1, keepdims=True))
        weights /= weights.sum(axis=-1, keepdims=True)
        return (weights @ value).transpose(0, 2, 1, 3).reshape(batch, length, width)

    def _linear(self, x: Array, part: str) -> Array:
        product: Array = x @ self._weights[f"{part}.weight"].T
        return product + self._weights[f"{part}.bias"]

    def _normalise(self, x: Array, part: str) -> Array:
        centred: Array = x - x.mean(axis=-1, keepdims=True, dtype=np.float32)
        variance = (centred * centred).mean(axis=-1, keepdims=True, dtype=np.float32)
        scale: Array = np.sqrt(variance + np.float32(1e-12), dtype=np.float32)
        return centred / scale * self._weights[f"{part}.weight"] + self._weights[f"{part}.bias"]


def load_minilm(models: Path) -> MiniLmEmbedder:
    """Reads the installed files. Raises EmbeddingError if they are missing, with the command that installs them."""
    weights_file, tokenizer_file = installed_files(models)
    try:
        weights = load_file(weights_file)
        tokenizer = Tokenizer.from_file(str(tokenizer_file))
    except Exception as error:
        raise EmbeddingError(f"the files of all-MiniLM-L6-v2 cannot be read: {error}") from error
    tokenizer.enable_truncation(_MAX_TOKENS)
    tokenizer.no_padding()
    return MiniLmEmbedder(tokenizer, {name.removeprefix("bert."): array for name, array in weights.items()})


def _batch_end(start: int, order: list[int], tokens: list[list[int]]) -> int:
    """The end of the longest batch from `start` whose padded size is at most _BATCH_TOKENS."""
    end = start + 1
    while end < len(order) and (end + 1 - start) * len(tokens[order[end]]) <= _BATCH_TOKENS:
        end += 1
    return end


def _gelu(x: Array) -> Array:
    """x times the normal distribution, by Abramowitz and Stegun 7.1.26 (error below 1.5e-7)."""
    scaled = np.abs(x) * np.float32(2**-0.5)
    t = 1 / (1 + np.float32(0.3275911) * scaled)
    series = np.float32(1.061405429) * t + np.float32(-1.453152027)
    for coefficient in (1.421413741, -0.284496736, 0.254829592):
        series = series * t + np.float32(coefficient)
    tail = series * t * _exp(-scaled * scaled)
    return x * np.where(x >= 0, 1 - tail / 2, tail / 2)


def _exp(x: Array) -> Array:
    result: Array = np.exp(x, dtype=np.float32)
    return result
