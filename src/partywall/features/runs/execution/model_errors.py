"""Maps errors of a model's server to the failure that users see, and to fields for the log."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelServerError,
    ModelUnavailableError,
)
from pydantic_core import to_json

from partywall.core.log_masks import one_clean_line
from partywall.core.model_failures import ModelInvalidError
from partywall.core.outgoing.circuits import CircuitOpenError
from partywall.core.outgoing.retries import RETRIED, seconds_asked
from partywall.features.runs.execution.outcomes import Failed, Interrupted

# Of a server's message in the log: it may be a whole page.
MOST_CHARACTERS: Final = 500
_MOST_READ: Final = 4_000
_MOST_CAUSES: Final = 10
_LONGEST_WAIT: Final = timedelta(days=2)  # more than `AGENTS__RETRY_FOR` can be
_PASSING: Final = (ModelConnectionError, ModelRateLimitError, ModelUnavailableError, ModelServerError)
_REFUSING: Final = (ModelHTTPError, ModelRequestRejectedError, ModelQuotaExceededError)

# Lower-case phrases of servers that send no error code. The first group that matches wins.
_TOOLS: Final = (
    "support tool", "support function", "not support `tool", "tool choice requires", "tools param requires",
    "tool use is not supported", "tool calling is not supported", "function calling is not supported",
    "supports tool use", "tools are not supported", "tools is not supported",
)  # fmt: skip
_CONTEXT: Final = (
    "context length", "context size", "context window", "context_length", "prompt is too long", "input is too long",
    "input token count", "maximum model length", "max_model_len", "too many tokens",
    "`inputs` tokens + `max_new_tokens`", "`inputs` must have less than", "maximum prompt length", "context overflow",
    "reduce the length of the messages",
)  # fmt: skip
_MODEL: Final = (
    "invalid model", "unknown model", "not a valid model", "model not found", "model does not exist", "no such model",
    "model_not_found",
)  # fmt: skip
_KEY: Final = ("api key", "api_key", "api-key", "invalid key", "invalid token", "unauthorized")


def meaning_of_model_error(error: ModelAPIError) -> Failed | Interrupted:
    """The failure for users; it never quotes the server's message."""
    if isinstance(error, ModelInvalidError):
        return Failed("model_invalid", f"The model's answer cannot be used: {error.why}.")
    said = f" (status {error.status_code})" if isinstance(error, ModelHTTPError) else ""
    refused = _refused(error, said)
    if refused is not None:
        return refused
    if isinstance(error, ModelRateLimitError):
        rate = Failed("model_rate_limited", f"The rate limit of the model {error.model_name} is reached{said}.")
        return Interrupted(rate, passing=True, retry_after=_asked(error))
    if _is_passing(error):
        away = Failed("model_unavailable", f"The model {error.model_name} does not answer{said}.")
        return _circuit_open(error, away) or Interrupted(away, passing=True, retry_after=_asked(error))
    if isinstance(error, _REFUSING) or error.in_stream:
        return Failed("model_refused", f"The model {error.model_name} refused the request{said}.")
    return Failed("model_invalid", f"The model {error.model_name} sent an answer in an unknown format.")


def _circuit_open(error: ModelAPIError, away: Failed) -> Interrupted | None:
    """None unless our own circuit breaker rejected the request; the libraries in between keep it as a cause."""
    cause: BaseException | None = error
    for _ in range(_MOST_CAUSES):
        if cause is None or isinstance(cause, CircuitOpenError):
            break
        cause = cause.__cause__ or cause.__context__
    if not isinstance(cause, CircuitOpenError):
        return None
    return Interrupted(away, passing=True, retry_after=timedelta(seconds=cause.after), not_asked=True)


def _refused(error: ModelAPIError, said: str) -> Failed | None:
    """The failure where the server says what is wrong and a retry cannot help; None otherwise."""
    if isinstance(error, ModelRateLimitError | ModelConnectionError | ModelUnavailableError):
        return None
    words, model = f"{error.provider_error_code} {_message(error)}".lower(), error.model_name
    if isinstance(error, ModelQuotaExceededError):
        return Failed("model_quota_exceeded", f"The provider account of {model} has no quota left{said}.")
    if _says(words, _TOOLS):
        return Failed("model_without_tools", f"The model {model} cannot call tools, which agents need{said}.")
    if isinstance(error, ModelContextWindowExceededError) or _says(words, _CONTEXT) or _status(error) == 413:
        return Failed("model_context_exceeded", f"The conversation is too long for the model {model}{said}.")
    if isinstance(error, ModelServerError):
        return None
    if isinstance(error, ModelAuthenticationError) or _says(words, _KEY):
        return Failed("model_key_refused", f"The API key is wrong, or not valid for the model {model}{said}.")
    if isinstance(error, ModelNotFoundError) or _says(words, _MODEL):
        return Failed("model_not_found", f"The server does not know the model {model}, or its address is wrong{said}.")
    return None


def _is_passing(error: ModelAPIError) -> bool:
    return isinstance(error, _PASSING) or _status(error) in RETRIED


def _status(error: ModelAPIError) -> int | None:
    return error.status_code if isinstance(error, ModelHTTPError) else None


def _says(words: str, phrases: tuple[str, ...]) -> bool:
    return any(phrase in words for phrase in phrases)


def _asked(error: ModelAPIError) -> timedelta | None:
    """How long the server asks to wait before a retry."""
    seconds = error.retry_after
    if seconds is None:
        headers = (error.headers or {}) if isinstance(error, ModelHTTPError) else {}
        seconds = seconds_asked(headers, to_json(error.body))
    return None if seconds is None else timedelta(seconds=min(seconds, _LONGEST_WAIT.total_seconds()))


def facts_of(error: ModelAPIError) -> dict[str, str | int | None]:
    """Log fields: the model, the status and the server's message."""
    said = one_clean_line(_message(error), MOST_CHARACTERS)
    return {"model": error.model_name or None, "status": _status(error), "said": said}


def _message(error: ModelAPIError) -> str:
    """The server's message, cut to `_MOST_READ` characters."""
    body = error.body
    if isinstance(body, dict) and isinstance(body.get("error"), dict):
        body = body["error"]
    said = body.get("message") if isinstance(body, dict) else None
    return str(said or body or error.message)[:_MOST_READ]
