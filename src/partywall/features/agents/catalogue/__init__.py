"""The agents shipped, one file each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from partywall.features.agents.registry import AnyAgent

AGENTS: Final[tuple[AnyAgent, ...]] = ()
