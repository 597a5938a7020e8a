"""WordLlama's 256-dimensional token embeddings, mean-pooled.

Reads the files of the wheel without importing the library, which needs twice the memory and looks in a cache folder.
The embeddings stay in the file, whose pages the kernel caches once for all processes.
"""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Final

import numpy as np
from tokenizers import Regex, Tokenizer
from tokenizers.pre_tokenizers import Split

from partywall.adapters.embeddings.local import LocalEmbedder, has_words_of
from partywall.adapters.embeddings.tensor_rows import TensorRows
from partywall.core.embedders import EmbeddingError, Vectors

_WEIGHTS: Final = "weights/l2_supercat_256.safetensors"
_TOKENIZER: Final = "tokenizers/l2_supercat_tokenizer_config.json"
_TENSOR: Final = "embedding.weight"
_BATCH: Final = 64
# No token of this vocabulary spans the start of a word: splitting by word gives the same ids in linear time.
_WORD: Final = Regex("▁+[^▁]*")


class WordLlamaEmbedder(LocalEmbedder):
    """English, 16 MB of weights, no network; a document takes about .3 ms of one core."""

    def __init__(self, tokenizer: Tokenizer, rows: TensorRows, name: str) -> None:
        super().__init__(texts_at_once=512)
        self.tokenizer = tokenizer
        self.rows = rows
        self.name = name

    @property
    def dimension(self) -> int:
        return self.rows.columns

    @property
    def is_quick(self) -> bool:
        return True

    def reads(self, text: str) -> bool:
        return has_words_of(self.tokenizer, text)

    def _embed(self, texts: list[str]) -> Vectors:
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for start in range(0, len(texts), _BATCH):
            self._embed_batch(texts[start : start + _BATCH], vectors[start : start + _BATCH])
        return vectors

    def _embed_batch(self, texts: list[str], out: Vectors) -> None:
        encodings = self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        tokens = [np.asarray(encoding.ids, dtype=np.int64) for encoding in encodings]
        # Converts each distinct token to 32 bits once per batch: the conversion is most of the cost of pooling.
        distinct, positions = np.unique(np.concatenate(tokens), return_inverse=True)
        rows = self.rows.read(distinct).astype(np.float32)
        end = 0
        for index, ids in enumerate(tokens):
            start, end = end, end + len(ids)
            if len(ids):
                pooled = rows[positions[start:end]].sum(axis=0)
                out[index] = pooled / np.linalg.norm(pooled)


def load_wordllama(_models: Path | None = None) -> WordLlamaEmbedder:
    """Opens the bundled files; blocks for about 100 ms. Raises EmbeddingError if they are missing."""
    spec = importlib.util.find_spec("wordllama")
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddingError("the package wordllama is not installed")
    package = Path(spec.submodule_search_locations[0])
    try:
        rows, digest = TensorRows(package / _WEIGHTS, _TENSOR), _digest(package / _WEIGHTS)
        tokenizer = Tokenizer.from_file(str(package / _TOKENIZER))
    except Exception as error:
        raise EmbeddingError(f"the files of the package wordllama cannot be read: {error}") from error
    tokenizer.pre_tokenizer = Split(_WORD, "isolated")
    return WordLlamaEmbedder(tokenizer, rows, f"wordllama-l2-supercat-256@{digest[:12]}")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
