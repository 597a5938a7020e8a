"""WordLlama's 256-dimensional token embeddings, mean-pooled, read straight from the files of its wheel.

The files are read without importing the library: half its memory, and no folder of its own to look in.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from anyio import CapacityLimiter, to_thread
from numpy.typing import NDArray
from safetensors.numpy import load
from tokenizers import Regex, Tokenizer
from tokenizers.pre_tokenizers import Split

from partywall.core.embedding import EmbeddingError, TextVectors, Vectors

_WEIGHTS: Final = "weights/l2_supercat_256.safetensors"
_TOKENIZER: Final = "tokenizers/l2_supercat_tokenizer_config.json"
_BATCH: Final = 64
# No token of this vocabulary spans the start of a word, so words tokenise alone: the same ids, linear time.
_WORD: Final = Regex("▁+[^▁]*")


class WordLlamaEmbedder:
    """English, 16 MB of weights, no network; a document takes about .3 ms of one core."""

    def __init__(self, tokenizer: Tokenizer, weights: NDArray[np.float16], name: str) -> None:
        self._tokenizer = tokenizer
        self._weights = weights
        self._limiter = CapacityLimiter(2)
        self.name = name

    @property
    def dimension(self) -> int:
        return int(self._weights.shape[1])

    async def embed_documents(self, texts: Sequence[str]) -> TextVectors:
        return TextVectors(await to_thread.run_sync(self._embed, list(texts), limiter=self._limiter))

    async def embed_query(self, text: str) -> Vectors:
        made = await self.embed_documents([text])
        return np.asarray(made.vectors[0], dtype=np.float32)

    async def ping(self) -> None:
        """The weights are in memory: nothing can be away."""

    async def close(self) -> None:
        """Nothing is held open."""

    def _embed(self, texts: list[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for start in range(0, len(texts), _BATCH):
            self._embed_batch(texts[start : start + _BATCH], vectors[start : start + _BATCH])
        return vectors

    def _embed_batch(self, texts: list[str], out: Vectors) -> None:
        encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        tokens = [np.asarray(encoding.ids, dtype=np.int64) for encoding in encodings]
        # Each distinct token is widened to 32 bits once per batch: widening is most of the cost of pooling.
        distinct, positions = np.unique(np.concatenate(tokens), return_inverse=True)
        rows = self._weights[distinct].astype(np.float32)
        end = 0
        for index, ids in enumerate(tokens):
            start, end = end, end + len(ids)
            if len(ids):
                pooled = rows[positions[start:end]].sum(axis=0)
                out[index] = pooled / np.linalg.norm(pooled)


def load_wordllama() -> WordLlamaEmbedder:
    """Reads the bundled files; blocks for some 200 ms. Raises EmbeddingError where the wheel lacks them."""
    spec = importlib.util.find_spec("wordllama")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddingError("the package wordllama is not installed")
    package = Path(spec.submodule_search_locations[0])
    try:
        content = (package / _WEIGHTS).read_bytes()
        tokenizer = Tokenizer.from_file(str(package / _TOKENIZER))
    except Exception as error:
        raise EmbeddingError(f"the files of the package wordllama cannot be read: {error}") from error
    tokenizer.pre_tokenizer = Split(_WORD, "isolated")
    digest = hashlib.sha256(content).hexdigest()[:12]
    return WordLlamaEmbedder(tokenizer, load(content)["embedding.weight"], f"wordllama-l2-supercat-256@{digest}")
