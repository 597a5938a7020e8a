"""Guards calls into an agent's code (prompt, tools and check). Its own exceptions fail the run without a retry."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pydantic_ai import ApprovalRequired, CallDeferred, ModelRetry
from pydantic_ai.exceptions import AgentRunError, SkipToolExecution, SkipToolValidation, ToolFailed, UserError
from sqlalchemy.exc import SQLAlchemyError

from partywall.core.errors import PartywallError
from partywall.core.jobs.lease import LeaseLostError
from partywall.features.agents.exceptions import TryAgainError
from partywall.features.agents.exit_guard import AgentCodeError, is_from_outside

# Exceptions that control the library or the run, and those that are not the code's fault (database errors).
_PASSED_ON: Final = (
    ModelRetry, ToolFailed, CallDeferred, ApprovalRequired, SkipToolExecution, SkipToolValidation, UserError,
    AgentRunError, PartywallError, TryAgainError, LeaseLostError, SQLAlchemyError,
)  # fmt: skip


class ToolError(Exception):
    """A tool failed; the cause is what it raised."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@contextmanager
def agent_code(tool: str | None = None) -> Iterator[None]:
    """Raises ToolError or AgentCodeError for exceptions of the code; those in `_PASSED_ON` pass unchanged."""
    try:
        yield
    except _PASSED_ON:
        raise
    except BaseException as error:
        if is_from_outside(error):
            raise
        raise (ToolError(tool) if tool else AgentCodeError) from error
