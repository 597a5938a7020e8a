"""Every tool there is: our own in one explicit list, and those of installed features."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from types import MappingProxyType
from typing import Final, cast

from mcp import types

from partywall.core import tools as declared
from partywall.core.lazy import Lazy
from partywall.core.schemas import RequestModel, ResponseModel
from partywall.features.mcp.caller import Caller
from partywall.features.mcp.document_tools import DOCUMENT_TOOLS
from partywall.features.mcp.run_tools import RUN_TOOLS
from partywall.features.mcp.tool import ReportProgress, Tool

type AnyTool = Tool[RequestModel, ResponseModel]

TOOLS: Final = cast("tuple[AnyTool, ...]", (*DOCUMENT_TOOLS, *RUN_TOOLS))
BY_NAME: Final[Mapping[str, AnyTool]] = MappingProxyType({tool.name: tool for tool in TOOLS})
DESCRIBED: Final = tuple(tool.described() for tool in TOOLS)

type References = tuple[Lazy[Sequence[declared.AnyTool]], ...]


@cache
def installed_tools(references: References) -> Mapping[str, AnyTool]:
    return MappingProxyType({tool.name: _tool(tool) for found in references for tool in found.load()})


@cache
def described_tools(references: References) -> tuple[types.Tool, ...]:
    return (*DESCRIBED, *(tool.described() for tool in installed_tools(references).values()))


def _tool(tool: declared.AnyTool) -> AnyTool:
    async def work(caller: Caller, given: RequestModel, _: ReportProgress) -> ResponseModel:
        return await tool.work(caller.tool_call, given)

    return Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input=tool.input,
        output=tool.output,
        work=work,
        reads=tool.reads,
        destroys=tool.destroys,
    )
