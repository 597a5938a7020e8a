from __future__ import annotations

from partywall.core.errors import UnavailableError


class IndexesChanged(Exception):
    """The project's indexes changed while vectors were computed; they are computed again."""


class SearchModelUnavailable(UnavailableError):
    code = "search_model_unavailable"
    title = "The index's embedding model is not available"

    def __init__(self, model: str) -> None:
        super().__init__(f"The embedding model of this project, {model}, does not answer. Use mode=text.")


class VectorIndexUnavailable(UnavailableError):
    code = "vector_index_unavailable"
    title = "The vector index is not available"

    def __init__(self) -> None:
        super().__init__("The server that finds the nearest vectors does not answer. Use mode=text.")


class SearchTimeoutError(UnavailableError):
    code = "search_timeout"
    title = "The search took too long"

    def __init__(self) -> None:
        super().__init__("Use fewer or rarer words, or try again later.", headers={"Retry-After": "5"})
