"""Every tool there is, in one explicit list."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, cast

from partywall.core.schemas import RequestModel, ResponseModel
from partywall.features.mcp.document_tools import DOCUMENT_TOOLS
from partywall.features.mcp.run_tools import RUN_TOOLS
from partywall.features.mcp.tool import Tool

type AnyTool = Tool[RequestModel, ResponseModel]

TOOLS: Final = cast("tuple[AnyTool, ...]", (*DOCUMENT_TOOLS, *RUN_TOOLS))
BY_NAME: Final[Mapping[str, AnyTool]] = MappingProxyType({tool.name: tool for tool in TOOLS})
DESCRIBED: Final = tuple(tool.described() for tool in TOOLS)
