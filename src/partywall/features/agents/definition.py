"""What an agent is: one declaration in one file. Its output type is the response model's own."""

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
    """What one run may use in all; asked for before each call. `cost` is in US dollars, None is without limit."""

    time: timedelta = timedelta(minutes=10)
    model_calls: int = 20
    tool_calls: int = 50
    tokens: int = 200_000
    cost: Decimal | None = None


type Check[I: AgentInput, O: BaseModel] = Callable[[RunContext[RunDeps[I]], O], Awaitable[O]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDefinition[I: AgentInput, O: BaseModel]:
    """An agent as code declares it.

    `prompt` makes of the input what the model is asked. `check` judges an output that fits its type, and raises
    ModelRetry to have the model try again, `retries` times at most. A tool is `Tool(function)`; one that is declared
    with `requires_approval=True` waits for a person.
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
            raise ValueError(f"{self.name!r} is no name for an agent: lower case letters, digits and _")

    async def validated(self, given: JsonObject, threads: SharedThreads) -> I:
        """In a thread, because an input can be long to judge.

        Raises ValidationError, what the type refuses in other ways, and AgentCodeError for all else that it raises.
        """
        try:
            with exit_guarded():
                return await threads.run(partial(self.input.model_validate, given))
        except (ValidationError, PartywallError, AgentCodeError):
            raise
        except Exception as error:
            raise AgentCodeError from error
