from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mcp import types
from pydantic import BaseModel

from partywall.core.schemas import RequestModel, ResponseModel
from partywall.features.mcp.caller import Caller
from partywall.features.mcp.flat_schema import flat_schema

# Reports a call's progress to the client, if it asked for that.
type ReportProgress = Callable[[str], Awaitable[None]]
type Work[I: RequestModel, O: BaseModel] = Callable[[Caller, I, ReportProgress], Awaitable[O]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool[I: RequestModel, O: ResponseModel]:
    """A tool for clients. `work` calls the services, which check the rights; `waits`: the call may take long."""

    name: str
    title: str
    description: str
    input: type[I]
    output: type[O]
    work: Work[I, O]
    reads: bool = True
    destroys: bool = False
    waits: bool = False

    def described(self) -> types.Tool:
        """The tool as in `tools/list`, with the JSON Schemas of its input and output."""
        return types.Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=flat_schema(self.input.model_json_schema(), nulls=False),
            output_schema=flat_schema(self.output.model_json_schema(mode="serialization")),
            annotations=types.ToolAnnotations(
                read_only_hint=self.reads,
                destructive_hint=self.destroys,
                idempotent_hint=self.reads or self.destroys,
                open_world_hint=False,
            ),
        )
