"""Tools that a feature offers to agents."""

from __future__ import annotations

from partywall.core.tools import ProjectTool, ToolCall

__all__ = [
    "ProjectTool",
    "ToolCall",
]
