"""Decides between an exact scan of a project's vectors and the shared HNSW index."""

from __future__ import annotations

from typing import Final

from partywall.features.search.constants import CANDIDATES

# Measured with 200 candidates of 256 dimensions; see docs/reference/benchmarks.md.
_EXACT_MS_PER_CHUNK: Final = 0.0003
# The index finds .84 of the ten nearest at 200,000 of 700,000 vectors, however wide it searches: smaller projects are
# compared as a whole.
MOST_COMPARED: Final = 250_000
_INDEX_MS: Final = 1.0
_INDEX_MS_PER_INVERSE_SHARE: Final = 1.8
# What a filter that keeps many documents may leave of them.
KEPT_SHARE: Final = 0.1


def uses_index(chunks: int, indexed_rows: float | None, candidates: int = CANDIDATES) -> bool:
    """Compares the two costs: exact grows with the project, HNSW as its share of the `indexed_rows` shrinks.

    The index also visits other projects' vectors: at a share of 1 % it visits a hundred times as many. None: the
    vectors' dimension has no index. A project of up to MOST_COMPARED passages never uses it: it is not exact enough.
    """
    if chunks <= MOST_COMPARED or indexed_rows is None:
        return False
    inverse_share = max(1.0, indexed_rows / chunks)
    visited = inverse_share * candidates / CANDIDATES
    return _INDEX_MS + _INDEX_MS_PER_INVERSE_SHARE * visited < _EXACT_MS_PER_CHUNK * chunks
