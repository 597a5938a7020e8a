"""The embedder port: texts in, vectors of one model out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

type Vectors = NDArray[np.float32]
"""Shape (n, dimension), or (dimension,) for one text. Each has length 1, or 0 for a text without tokens."""


class EmbeddingError(Exception):
    """The model cannot embed now; the message says why and carries no secret."""


class TextRefused(EmbeddingError):
    """The model refuses the text; asking again with the same one is of no use."""


class EmbeddingUnavailable(EmbeddingError):
    """No text is at fault: the model answers nobody now, or has asked for a pause of so many seconds.

    `by_all` is False where it may well answer others: it has failed at what this tenant sent before.
    """

    def __init__(self, message: str, retry_after: float | None = None, *, by_all: bool = True) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.by_all = by_all


@dataclass(frozen=True, slots=True)
class TextVectors:
    """Vectors of shape (n, dimension) in the order of the texts; those that are missing are zeros.

    The keys are positions. `refused` are those that the model will not take, and why. `failed` are those at which it
    fails while it answers others, which may pass; `retry_after` is how long it has asked to wait with them. `left` were
    not asked to the end; `suspected` are those of them that are among texts at which the model has failed together.
    Those in `shortened` were too long: their vectors are of their beginnings. `unavailable` says why the model has
    ceased to answer before the last.
    """

    vectors: Vectors
    refused: Mapping[int, str] = field(default_factory=dict)
    shortened: frozenset[int] = frozenset()
    failed: Mapping[int, str] = field(default_factory=dict)
    retry_after: float | None = None
    left: frozenset[int] = frozenset()
    suspected: Mapping[int, str] = field(default_factory=dict)
    unavailable: EmbeddingUnavailable | None = None


class Embedder(Protocol):
    """One embedding model. Vectors of different `name`s are never comparable."""

    @property
    def name(self) -> str:
        """The model's identity with its version; it is stored beside every index."""
        ...

    @property
    def dimension(self) -> int: ...

    @property
    def is_quick(self) -> bool:
        """Whether a batch is sure to be embedded within some tenths of a second: words need not be stored before."""
        ...

    async def embed_documents(self, texts: Sequence[str]) -> TextVectors:
        """Raises EmbeddingUnavailable where no text is at fault, and EmbeddingError for what may pass."""
        ...

    async def embed_query(self, text: str) -> Vectors:
        """The vector of shape (dimension,) to compare documents with; raises EmbeddingError."""
        ...

    async def ping(self) -> None:
        """Raises EmbeddingError where the model would not answer."""
        ...

    async def close(self) -> None: ...


class Embedders(Protocol):
    """The configured embedder, and others for as long as an index of theirs still serves."""

    @property
    def current(self) -> Embedder: ...

    async def named(self, name: str) -> Embedder | None:
        """The embedder of that identity where this machine has it, loaded on first use; None otherwise."""
        ...
