"""How many passages are written in one transaction: as many as have a bounded number of words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from partywall.features.search.chunk_repository import NewChunk
from partywall.features.search.tokens import no_small_letters, unspaced

# Each has two terms, alone and in a pair; a passage in words with spaces has about 300.
_UNSPACED_OF_ONE: Final = 150
# A passage in words has up to so many digits, signs, spaces and capitals; each one more may begin two terms.
_ORDINARY: Final = 400
_MORE_OF_ONE: Final = 200


def work(chunks: Iterable[NewChunk]) -> int:
    """In passages of words with spaces: one in Chinese counts as up to 17, one of codes or numbers as up to 11."""
    return sum(map(_work, chunks))


def _work(chunk: NewChunk) -> int:
    more = max(0, no_small_letters(chunk.text) - _ORDINARY)
    return 1 + unspaced(chunk.text) // _UNSPACED_OF_ONE + more // _MORE_OF_ONE


def batches(chunks: Sequence[NewChunk], most: int) -> Iterator[list[NewChunk]]:
    """The chunks in order, each batch with at most so much work, or one chunk."""
    batch, done = list[NewChunk](), 0
    for each in chunks:
        more = work([each])
        if batch and done + more > most:
            yield batch
            batch, done = [], 0
        batch.append(each)
        done += more
    if batch:
        yield batch
