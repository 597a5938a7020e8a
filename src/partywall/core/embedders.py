"""The embedder port: turns texts into vectors of one model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

type Vectors = NDArray[np.float32]
"""Shape (n, dimension), or (dimension,) for one text. Each has length 1, or 0 for a text without tokens."""


class EmbeddingError(Exception):
    """The model cannot embed now; the message says why and contains no secret."""


class TextRefused(EmbeddingError):
    """The model refuses the text; retrying the same text does not help."""


class EmbeddingUnavailable(EmbeddingError):
    """The model answers no request now, or asked for a pause of `retry_after` seconds; no text is the cause.

    `by_all` is False if it may still answer others: it failed at earlier texts of this tenant.
    """

    def __init__(self, message: str, retry_after: float | None = None, *, by_all: bool = True) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.by_all = by_all


@dataclass(frozen=True, slots=True)
class TextVectors:
    """Vectors of shape (n, dimension) in the order of the texts; missing ones are zeros.

    Keys are positions. `refused` texts were rejected, with the reason. `failed` texts made the model fail while it
    answered others, which may be temporary; `retry_after` is the pause that it asked for. `left` texts were not tried
    to the end; `suspected` are those of them that were in a batch that failed. `shortened` texts were too long: their
    vectors cover only the beginning. `unavailable` says why the model stopped answering before the last text.
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
        """The model's identity and version; stored with every index."""
        ...

    @property
    def dimension(self) -> int: ...

    @property
    def is_quick(self) -> bool:
        """Whether a batch takes at most some tenths of a second, so that words need not be stored first."""
        ...

    def reads(self, text: str) -> bool:
        """Whether the model knows the script that the text is written in."""
        ...

    async def embed_documents(self, texts: Sequence[str]) -> TextVectors:
        """Raises EmbeddingUnavailable if no text is the cause, and EmbeddingError for other temporary failures."""
        ...

    async def embed_query(self, text: str) -> Vectors:
        """The query's vector, shape (dimension,); raises EmbeddingError."""
        ...

    async def ping(self) -> None:
        """Raises EmbeddingError if the model does not answer."""
        ...

    async def close(self) -> None: ...


class Embedders(Protocol):
    """The configured embedder, and those of indexes that are still in use."""

    @property
    def current(self) -> Embedder: ...

    async def named(self, name: str) -> Embedder | None:
        """The embedder with that identity, loaded on first use; None if this machine does not have it."""
        ...
