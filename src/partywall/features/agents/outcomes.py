"""How a turn can end, and what an error means for its run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue, ValidationError
from pydantic_ai.exceptions import (
    ContentFilterError,
    FallbackExceptionGroup,
    ModelAPIError,
    ModelConnectionError,
    ModelHTTPError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelServerError,
    ModelUnavailableError,
    OutputTokenLimitExceeded,
    UnexpectedModelBehavior,
    UserError,
)
from pydantic_ai.models import Model

from partywall.core.errors import MissingRightError, PartywallError
from partywall.core.language_models import ModelBrokeOffError, ModelInvalidError
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.agents.budgets import Exceeded
from partywall.features.agents.journal import CancelRequestedError, WorkerStopsError

_PASSING: Final = (ModelConnectionError, ModelRateLimitError, ModelUnavailableError, ModelServerError)
_REFUSING: Final = (ModelHTTPError, ModelRequestRejectedError, ModelQuotaExceededError)


@dataclass(frozen=True, slots=True)
class Succeeded:
    output: dict[str, JsonValue]
    messages: list[JsonValue]


@dataclass(frozen=True, slots=True)
class Waiting:
    """`requests` are what Pydantic AI wants answered, `pending` the same as people see it."""

    requests: JsonValue
    pending: list[JsonValue]
    messages: list[JsonValue]


@dataclass(frozen=True, slots=True)
class Failed:
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    pass


@dataclass(frozen=True, slots=True)
class Interrupted:
    """May pass: the run is tried again, and `last` is what it ends with where it was tried too often.

    With `others`, it is tried at once with these models, as a part of the same attempt.
    """

    last: Failed
    others: Model | None = None


type Outcome = Succeeded | Waiting | Failed | Cancelled
type Ending = Outcome | Interrupted

LOST: Final = Failed("right_lost", "Whoever started the run may no longer run agents in this project.")
POISONED: Final = Failed("run_abandoned", "The run was begun too often without progress.")
TIMED_OUT: Final = Failed("run_limit_reached", "The agent's limit of time for one run is reached.")


_FIXED: Final[tuple[tuple[type[Exception], Ending], ...]] = (
    (CancelRequestedError, Cancelled()),
    (WorkerStopsError, Interrupted(Failed("worker_stopped", "The workers stopped too often."))),
    (ProjectNotFoundError, LOST),
    (MissingRightError, LOST),
    (ValidationError, Failed("input_invalid", "The input no longer fits the agent.")),
    (UserError, Failed("agent_broken", "The agent's declaration is at fault; see the worker's log.")),
    (ContentFilterError, Failed("output_invalid", "The model's provider has withheld its answer.")),
    (
        OutputTokenLimitExceeded,
        Failed("output_invalid", "The model's answer grew too long, and ended before it was whole."),
    ),
    (UnexpectedModelBehavior, Failed("output_invalid", "The model did not answer as it should, however often asked.")),
)


def meaning_of(error: Exception) -> Ending:
    """Shown to people, so it says what happened and nothing of the inside."""
    for kind, ending in _FIXED:
        if isinstance(error, kind):
            return ending
    match error:
        case Exceeded():
            return Failed(error.code, error.detail)
        case ModelBrokeOffError():
            ending = _of_model(error.error)
            return Interrupted(ending.last if isinstance(ending, Interrupted) else ending, error.others)
        case FallbackExceptionGroup():
            return _of_fallbacks(error)
        case ModelAPIError():
            return _of_model(error)
        case PartywallError() if error.status < 500:
            return Failed(error.code, error.detail)
        case _:
            return Interrupted(Failed("internal_error", "Something went wrong in the worker; see its log."))


def _of_model(error: ModelAPIError) -> Failed | Interrupted:
    if isinstance(error, ModelInvalidError):
        return Failed("model_invalid", f"What the model answered cannot be used: {error.why}.")
    said = f" (status {error.status_code})" if isinstance(error, ModelHTTPError) else ""
    if isinstance(error, _PASSING):
        return Interrupted(Failed("model_unavailable", f"The model {error.model_name} does not answer{said}."))
    if isinstance(error, _REFUSING) or error.in_stream:
        return Failed("model_refused", f"The model {error.model_name} refuses the request{said}.")
    return Failed("model_invalid", f"What the model {error.model_name} answered is not in the form of an answer.")


def _of_fallbacks(group: FallbackExceptionGroup) -> Ending:
    """One that may pass is enough to try again."""
    endings = [_of_model(error) for error in group.exceptions if isinstance(error, ModelAPIError)]
    passing = [each for each in endings if isinstance(each, Interrupted)]
    if passing or not endings:
        return passing[0] if passing else Interrupted(Failed("model_unavailable", "No model answers."))
    return endings[-1]
