"""Model failures that the library has no exception for."""

from __future__ import annotations

from pydantic_ai.exceptions import ModelAPIError
from pydantic_ai.models import Model


class ModelInvalidError(ModelAPIError):
    """A model's server sent an invalid answer; `why` is a clause that describes it. Retrying does not help."""

    def __init__(self, why: str) -> None:
        super().__init__("", why)
        self.why = why


class ModelBrokeOffError(ModelAPIError):
    """A model failed with `error` after it began to answer; ask `others` next, in a new call.

    The current call cannot continue: its first words have been published.
    """

    def __init__(self, error: ModelAPIError, others: Model) -> None:
        super().__init__(error.model_name, error.message)
        self.error = error
        self.others = others
