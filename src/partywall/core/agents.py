"""Agents, as features declare them. `AgentDefinition` of `partywall.api.agents` is one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from partywall.core.lazy import Lazy


class Agent(Protocol):
    @property
    def name(self) -> str: ...


type DeclaredAgents = Lazy[Sequence[Agent]]
