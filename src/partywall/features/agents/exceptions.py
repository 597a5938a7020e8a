from __future__ import annotations

from collections.abc import Sequence

from pydantic import JsonValue, ValidationError

from partywall.core.errors import ConflictError, NotFoundError, PartywallError


class AgentNotFoundError(NotFoundError):
    code = "agent_not_found"
    title = "No such agent"


class RunNotFoundError(NotFoundError):
    code = "run_not_found"
    title = "No such run"


class RunNotContinuableError(ConflictError):
    """Only a run of the same agent that succeeded has messages to go on from."""

    code = "run_not_continuable"
    title = "The run cannot be continued"


class RunNotWaitingError(ConflictError):
    code = "run_not_waiting"
    title = "The run waits for no decision"


class RunFinishedError(ConflictError):
    code = "run_finished"
    title = "The run is over"


class AgentInputError(PartywallError):
    """The input does not fit the agent's input schema; each pointer leads into the request's body."""

    status = 422
    code = "validation_failed"
    title = "The request is not valid"

    def __init__(self, error: ValidationError) -> None:
        errors: list[JsonValue] = [
            {"pointer": _pointer(item["loc"]) + str(item.get("ctx", {}).get("pointer", "")), "message": item["msg"]}
            for item in error.errors()
        ]
        super().__init__("See errors.", extensions={"errors": errors})


def _pointer(location: Sequence[str | int]) -> str:
    return "/input" + "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in location)
