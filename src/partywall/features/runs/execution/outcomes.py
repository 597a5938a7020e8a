"""The possible outcomes of a turn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from pydantic import JsonValue
from pydantic_ai.models import Model


@dataclass(frozen=True, slots=True)
class Succeeded:
    output: dict[str, JsonValue]
    messages: list[JsonValue]


@dataclass(frozen=True, slots=True)
class Waiting:
    """`requests` are Pydantic AI's deferred tool calls; `pending` shows the same calls to users."""

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
    """A temporary failure: the run is retried, and ends with `last` after too many attempts.

    With `others`, the same attempt goes on at once with these models. `passing` marks an outage outside this server:
    the run is retried for `AGENTS__RETRY_FOR`, no earlier than `retry_after`. With `not_asked`, an open circuit
    rejected the call, and `retry_after` is when the server may be called again. `paid` means that part of a model's
    answer was lost: such attempts are counted.
    """

    last: Failed
    others: Model | None = None
    passing: bool = False
    retry_after: timedelta | None = None
    not_asked: bool = False
    paid: bool = False


type Outcome = Succeeded | Waiting | Failed | Cancelled
type Ending = Outcome | Interrupted

LOST: Final = Failed("right_lost", "The user or key that started the run may no longer run agents in this project.")
POISONED: Final = Failed("run_abandoned", "The run was started too often without progress.")
TIMED_OUT: Final = Failed("run_limit_reached", "The agent's time limit for one run is reached.")
