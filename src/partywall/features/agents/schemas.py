from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from partywall.core.schemas import JsonObject, RequestModel, ResponseModel

AgentName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class Agent(ResponseModel):
    """`available` says whether a model is configured for it. The schemas are JSON Schema."""

    name: str
    description: str
    available: bool
    input_schema: JsonObject
    output_schema: JsonObject


class Agents(ResponseModel):
    items: list[Agent]


class AgentInput(RequestModel):
    """Base class of agent inputs. Unknown fields and values that cannot be stored are rejected."""

    def documents(self) -> Mapping[str, UUID]:
        """The document ids in the input, by JSON pointer. A run does not start if one of them does not exist."""
        return {}

    @property
    def is_costly(self) -> bool:
        """Whether `check_input` does more work than validating types and sizes; it is then called last."""
        return False

    def check_input(self) -> None:
        """The costly checks, run in a thread; raises AgentInputError."""
