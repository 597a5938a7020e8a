"""The built-in agents, one file each."""

from __future__ import annotations

from typing import Final, cast

from partywall.features.agents.builtin import answer, draft, extract, summarise
from partywall.features.agents.definition import AnyAgent

AGENTS: Final = cast("tuple[AnyAgent, ...]", (answer.agent, summarise.agent, extract.agent, draft.agent))
