"""Maps an exception to the outcome of its run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pydantic import ValidationError
from pydantic_ai.exceptions import (
    ContentFilterError,
    FallbackExceptionGroup,
    ModelAPIError,
    OutputTokenLimitExceeded,
    UnexpectedModelBehavior,
    UserError,
)

from partywall.core.db.driver_errors import session_is_away
from partywall.core.errors import MissingRightError, PartywallError, UnavailableError
from partywall.core.model_failures import ModelBrokeOffError
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.agents.exceptions import TryAgainError
from partywall.features.agents.exit_guard import AgentCodeError
from partywall.features.budgets.limits import Exceeded
from partywall.features.runs.execution.agent_code import ToolError
from partywall.features.runs.execution.journal import CancelRequestedError, WorkerStopsError
from partywall.features.runs.execution.model_errors import meaning_of_model_error
from partywall.features.runs.execution.outcomes import LOST, Cancelled, Ending, Failed, Interrupted

_AWAY: Final = Interrupted(Failed("unavailable", "A service that the run needs is unavailable."), passing=True)
_NO_MODEL: Final = Failed("model_invalid", "No model sent an answer in a known format.")
_FIXED: Final[tuple[tuple[type[Exception], Ending], ...]] = (
    (CancelRequestedError, Cancelled()),
    (WorkerStopsError, Interrupted(Failed("worker_stopped", "The run was interrupted by stopping workers too often."))),
    (ProjectNotFoundError, LOST),
    (MissingRightError, LOST),
    (ValidationError, Failed("input_invalid", "The input no longer fits the agent.")),
    (AgentCodeError, Failed("agent_broken", "The agent's own code failed; see the worker's log.")),
    (UnavailableError, _AWAY),
    (UserError, Failed("agent_broken", "The agent's declaration is wrong; see the worker's log.")),
    (ContentFilterError, Failed("output_invalid", "The model's provider has blocked the answer.")),
    (
        OutputTokenLimitExceeded,
        Failed("output_invalid", "The model's answer was too long and was cut off."),
    ),
    (UnexpectedModelBehavior, Failed("output_invalid", "The model gave no valid answer, even when asked again.")),
)


def meaning_of(error: Exception) -> Ending:
    """The outcome, with texts for users: they say what happened and reveal no internals."""
    for kind, ending in _FIXED:
        if isinstance(error, kind):
            return ending
    if session_is_away(error):
        return _AWAY
    match error:
        case ModelAPIError() | FallbackExceptionGroup():
            return _of_models(error)
        case Exceeded():
            return Failed(error.code, error.detail)
        case ToolError():
            return Failed("tool_failed", f"The tool {error.name} failed; see the worker's log.")
        case TryAgainError():
            return Interrupted(Failed("tool_unavailable", error.detail), passing=True, retry_after=error.after)
        case PartywallError() if error.status < 500:
            return Failed(error.code, error.detail)
        case _:
            return Interrupted(Failed("internal_error", "Something went wrong in the worker; see its log."))


def _of_models(error: ModelAPIError | FallbackExceptionGroup) -> Ending:
    """One temporary failure among the models is enough for a retry, after the longest `retry_after` of them."""
    endings = [meaning_of_model_error(each) for each in model_errors_of(error)]
    passing = [each for each in endings if isinstance(each, Interrupted)]
    if isinstance(error, ModelBrokeOffError):
        return Interrupted(passing[0].last if passing else _failed(endings), error.others)
    if not passing:
        return _failed(endings)
    asked = [each.retry_after for each in passing if each.retry_after is not None]
    turned_away = all(each.not_asked for each in passing)
    return replace(passing[0], retry_after=max(asked, default=None), not_asked=turned_away)


def _failed(endings: Sequence[Failed | Interrupted]) -> Failed:
    return next((each for each in reversed(endings) if isinstance(each, Failed)), _NO_MODEL)


def model_errors_of(error: Exception) -> list[ModelAPIError]:
    """The errors of all models that were called."""
    match error:
        case ModelBrokeOffError():
            return [error.error]
        case FallbackExceptionGroup():
            return [each for each in error.exceptions if isinstance(each, ModelAPIError)]
        case ModelAPIError():
            return [error]
        case _:
            return []
