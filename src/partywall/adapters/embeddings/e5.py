"""multilingual-e5-small (MIT): a twelve-layer BERT encoder for a hundred languages, from 4-bit weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from partywall.adapters.embeddings.bert import BertEncoder, Ids
from partywall.adapters.embeddings.e5_files import WEIGHTS_SHA256, dequantised, installed_file
from partywall.adapters.embeddings.encoder_embedder import EncoderEmbedder
from partywall.adapters.embeddings.mapped_tensors import mapped_tensors
from partywall.adapters.embeddings.unigram import UnigramTokenizer
from partywall.core.embedders import EmbeddingError, Vectors

_NAME: Final = f"multilingual-e5-small-q4@{WEIGHTS_SHA256[:12]}"
_LAYERS: Final = 12
_MAX_TOKENS: Final = 512
_START: Final = 0
_END: Final = 2
_UNKNOWN: Final = 3
# The model was trained with these.
_QUERY: Final = "query: "
_PASSAGE: Final = "passage: "


class E5Embedder(EncoderEmbedder):
    """Ignores text after 510 tokens, about 2,000 characters of English."""

    def __init__(self, tokenizer: UnigramTokenizer, encoder: BertEncoder) -> None:
        super().__init__(_NAME, encoder)
        self._tokenizer = tokenizer

    def _embed(self, texts: list[str]) -> Vectors:
        return self._encoder.embed([self._tokens(_PASSAGE + text) for text in texts])

    def _embed_query(self, text: str) -> Vectors:
        return self._encoder.embed([self._tokens(_QUERY + text)])

    def _tokens(self, text: str) -> Sequence[int]:
        return [_START, *self._tokenizer.encode(text, _MAX_TOKENS - 2), _END]


def load_e5(models: Path) -> E5Embedder:
    """Opens the installed file. Raises EmbeddingError if it is missing, with the command that installs it."""
    path = installed_file(models)
    try:
        tensors = mapped_tensors(path)
        halves = np.asarray(tensors["word_halves"], dtype=np.uint8)
        scales = np.asarray(tensors["word_scales"], dtype=np.float16)
        weights = {
            name: np.asarray(tensor, dtype=np.float32)
            for name, tensor in tensors.items()
            if name.startswith(("embeddings.", "encoder."))
        }
        tokenizer = UnigramTokenizer(tensors, unknown=_UNKNOWN)
    except Exception as error:
        raise EmbeddingError(f"the file of multilingual-e5-small cannot be read: {error}") from error

    def embeddings(ids: Ids) -> Vectors:
        return dequantised(halves[ids], scales[ids]).reshape(len(ids), -1)

    return E5Embedder(tokenizer, BertEncoder(weights, embeddings, layers=_LAYERS))
