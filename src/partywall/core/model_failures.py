"""How a model fails, beside the ways that its library knows."""

from __future__ import annotations

from pydantic_ai.exceptions import ModelAPIError
from pydantic_ai.models import Model


class ModelInvalidError(ModelAPIError):
    """A model's server answered with what is no answer; `why` is a clause about the answer. Asking again is no help."""

    def __init__(self, why: str) -> None:
        super().__init__("", why)
        self.why = why


class ModelBrokeOffError(ModelAPIError):
    """A model failed with `error` when it had begun to answer; `others` are to be asked instead, in a call of its own.

    Not within the call at hand, whose first words are told already.
    """

    def __init__(self, error: ModelAPIError, others: Model) -> None:
        super().__init__(error.model_name, error.message)
        self.error = error
        self.others = others
