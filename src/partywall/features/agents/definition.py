"""The declaration of an agent. Each agent is declared in one file."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, ValidationError

from partywall.core.errors import PartywallError
from partywall.core.schemas import JsonObject
from partywall.core.shared_threads import SharedThreads
from partywall.features.agents.deps import RunDeps
from partywall.features.agents.exit_guard import AgentCodeError, exit_guarded
from partywall.features.agents.schemas import AgentInput

if TYPE_CHECKING:
    from pydantic_ai import RunContext, Tool

NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one run, checked before each call. `cost` is in US dollars; None means no limit."""

    time: timedelta = timedelta(minutes=10)
    model_calls: int = 20
    tool_calls: int = 50
    tokens: int = 200_000
    cost: Decimal | None = None


type Check[I: AgentInput, O: BaseModel] = Callable[[RunContext[RunDeps[I]], O], Awaitable[O]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDefinition[I: AgentInput, O: BaseModel]:
    """An agent as code declares it.

    `prompt` turns the input into the user prompt. `check` validates an output that fits its type; it raises ModelRetry
    to make the model try again, at most `retries` times. A tool is `Tool(function)`; with `requires_approval=True` its
    calls wait for a person's approval.
    """

    name: str
    description: str
    instructions: str
    input: type[I]
    output: type[O]
    prompt: Callable[[I], str]
    tools: tuple[Tool[RunDeps[I]], ...] = ()
    check: Check[I, O] | None = None
    limits: Limits = Limits()
    retries: int = 2

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is not a valid agent name: use lower case letters, digits and _")

    async def validated(self, given: JsonObject, threads: SharedThreads) -> I:
        """The input as `self.input`, validated in a thread because that can take long.

        Raises ValidationError, any PartywallError of the type's validators, and AgentCodeError for other exceptions.
        """
        try:
            with exit_guarded():
                return await threads.run(partial(self.input.model_validate, given))
        except (ValidationError, PartywallError, AgentCodeError):
            raise
        except Exception as error:
            raise AgentCodeError from error


type AnyAgent = AgentDefinition[AgentInput, BaseModel]
