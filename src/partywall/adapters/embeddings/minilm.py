"""all-MiniLM-L6-v2 (Apache-2.0): a six-layer BERT encoder, from its official weights."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from tokenizers import Tokenizer

from partywall.adapters.embeddings.bert import BertEncoder, Ids
from partywall.adapters.embeddings.encoder_embedder import EncoderEmbedder
from partywall.adapters.embeddings.local import has_words_of
from partywall.adapters.embeddings.mapped_tensors import mapped_tensors
from partywall.adapters.embeddings.minilm_files import WEIGHTS_SHA256, installed_files
from partywall.core.embedders import EmbeddingError, Vectors

_NAME: Final = f"all-MiniLM-L6-v2@{WEIGHTS_SHA256[:12]}"
_LAYERS: Final = 6
_MAX_TOKENS: Final = 256  # what the model was trained on


class MiniLmEmbedder(EncoderEmbedder):
    """English sentences and short passages; ignores text after 256 tokens."""

    def __init__(self, tokenizer: Tokenizer, encoder: BertEncoder) -> None:
        super().__init__(_NAME, encoder)
        self._tokenizer = tokenizer

    def reads(self, text: str) -> bool:
        return has_words_of(self._tokenizer, text)

    def _embed(self, texts: list[str]) -> Vectors:
        return self._encoder.embed([encoding.ids for encoding in self._tokenizer.encode_batch_fast(texts)])


def load_minilm(models: Path) -> MiniLmEmbedder:
    """Opens the installed files. Raises EmbeddingError if they are missing, with the command that installs them."""
    weights_file, tokenizer_file = installed_files(models)
    try:
        tensors = mapped_tensors(weights_file)
        weights = {
            name.removeprefix("bert."): np.asarray(tensor, dtype=np.float32)
            for name, tensor in tensors.items()
            if not name.endswith("position_ids")
        }
        tokenizer = Tokenizer.from_file(str(tokenizer_file))
    except Exception as error:
        raise EmbeddingError(f"the files of all-MiniLM-L6-v2 cannot be read: {error}") from error
    tokenizer.enable_truncation(_MAX_TOKENS)
    tokenizer.no_padding()
    words = weights["embeddings.word_embeddings.weight"]

    def embeddings(ids: Ids) -> Vectors:
        return words[ids]

    return MiniLmEmbedder(tokenizer, BertEncoder(weights, embeddings, layers=_LAYERS))
