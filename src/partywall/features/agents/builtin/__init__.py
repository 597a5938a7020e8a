"""The built-in agents, one file each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from partywall.features.agents.builtin import answer, draft, extract, summarise

if TYPE_CHECKING:
    from partywall.features.agents.registry import AnyAgent

AGENTS: Final = cast("tuple[AnyAgent, ...]", (answer.agent, summarise.agent, extract.agent, draft.agent))
