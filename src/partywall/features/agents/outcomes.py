"""How a turn can end."""

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

    With `others`, it is tried at once with these models, as a part of the same attempt. What is `passing` takes its
    time, and nothing of ours is wrong: then it is tried for minutes, and not before `retry_after`. With `not_asked`, a
    server was left alone, and may be asked just then.
    """

    last: Failed
    others: Model | None = None
    passing: bool = False
    retry_after: timedelta | None = None
    not_asked: bool = False


type Outcome = Succeeded | Waiting | Failed | Cancelled
type Ending = Outcome | Interrupted

LOST: Final = Failed("right_lost", "Whoever started the run may no longer run agents in this project.")
POISONED: Final = Failed("run_abandoned", "The run was begun too often without progress.")
TIMED_OUT: Final = Failed("run_limit_reached", "The agent's limit of time for one run is reached.")
