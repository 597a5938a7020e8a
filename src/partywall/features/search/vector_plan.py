"""Whether a project's vectors are compared one by one or through the shared HNSW index."""

from __future__ import annotations

from typing import Final

# Measured with 200 candidates of 256 dimensions; see docs/reference/benchmarks.md.
_EXACT_MS_PER_CHUNK: Final = 0.0003
_INDEX_MS: Final = 1.0
_INDEX_MS_PER_INVERSE_SHARE: Final = 1.8


def uses_index(chunks: int, indexed_rows: float) -> bool:
    """Exact costs by the project's size, HNSW by its share of the index, which holds `indexed_rows` of all projects.

    The index walks past other projects' vectors: at a share of one in a hundred it visits a hundred times as many.
    """
    if chunks <= 0:
        return False
    inverse_share = max(1.0, indexed_rows / chunks)
    return _INDEX_MS + _INDEX_MS_PER_INVERSE_SHARE * inverse_share < _EXACT_MS_PER_CHUNK * chunks
