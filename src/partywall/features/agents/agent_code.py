"""The code of an agent: its prompt, its tools and its check. What they raise is theirs, and is not tried again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from pydantic_ai import ApprovalRequired, CallDeferred, ModelRetry
from pydantic_ai.exceptions import AgentRunError, SkipToolExecution, SkipToolValidation, ToolFailed, UserError
from sqlalchemy.exc import SQLAlchemyError

from partywall.core.errors import PartywallError
from partywall.core.jobs.context import LeaseLostError
from partywall.features.agents.exceptions import TryAgainError
from partywall.features.agents.exit_guard import AgentCodeError, is_from_outside

# What tells the library or the run what to do next, and what is no fault of the code: the database was away.
_UNDERSTOOD: Final = (
    ModelRetry, ToolFailed, CallDeferred, ApprovalRequired, SkipToolExecution, SkipToolValidation, UserError,
    AgentRunError, PartywallError, TryAgainError, LeaseLostError, SQLAlchemyError,
)  # fmt: skip


class ToolError(Exception):
    """A tool raised it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@contextmanager
def agent_code(tool: str | None = None) -> Iterator[None]:
    """Raises ToolError or AgentCodeError for what the code raises, unless that is understood."""
    try:
        yield
    except _UNDERSTOOD:
        raise
    except BaseException as error:
        if is_from_outside(error):
            raise
        raise (ToolError(tool) if tool else AgentCodeError) from error
