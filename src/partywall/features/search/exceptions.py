from __future__ import annotations

from partywall.core.errors import UnavailableError


class SearchModelUnavailable(UnavailableError):
    code = "search_model_unavailable"
    title = "The index's embedding model is not available"

    def __init__(self, model: str) -> None:
        super().__init__(f"The vectors of this project come from {model}, which does not answer: use mode=text.")
