from __future__ import annotations

from partywall.adapters.embeddings.bert import BertEncoder
from partywall.adapters.embeddings.local import LocalEmbedder


class EncoderEmbedder(LocalEmbedder):
    """A model with an encoder: slower than one that looks words up, so a thread gets few texts at once."""

    def __init__(self, name: str, encoder: BertEncoder) -> None:
        super().__init__(texts_at_once=8)
        self._name = name
        self._encoder = encoder

    @property
    def name(self) -> str:
        return self._name

    @property
    def dimension(self) -> int:
        return self._encoder.dimension

    @property
    def is_quick(self) -> bool:
        return False
