from __future__ import annotations

from typing import Final

from partywall.core.errors import ConflictError, NotFoundError, TooManyRequestsError

OPEN_RUNS_SECONDS: Final = 30


class RunNotFoundError(NotFoundError):
    code = "run_not_found"
    title = "No such run"


class RunNotContinuableError(ConflictError):
    """Only a succeeded run of the same agent can be continued."""

    code = "run_not_continuable"
    title = "The run cannot be continued"


class TooManyOpenRunsError(TooManyRequestsError):
    """The project, or the account that owns it, has its maximum number of unfinished runs."""

    code = "too_many_open_runs"
    title = "Too many unfinished runs"

    def __init__(self, scope: str, used: int, limit: int) -> None:
        super().__init__(OPEN_RUNS_SECONDS, f"{used} of {limit} runs of this {scope} are queued, running or waiting.")
        self.extensions = {"scope": scope, "used": used, "limit": limit}


class RunNotWaitingError(ConflictError):
    code = "run_not_waiting"
    title = "The run does not wait for a decision"


class RunPendingChangedError(ConflictError):
    """The decision names a different step from the one that the run waits for."""

    code = "run_pending_changed"
    title = "The run waits for a different step"

    def __init__(self) -> None:
        super().__init__("Nothing was decided. Read the run again, and decide on what it shows in `pending` now.")


class RunFinishedError(ConflictError):
    code = "run_finished"
    title = "The run is over"


class RunNotFinishedError(ConflictError):
    code = "run_not_finished"
    title = "The run is not over yet"
