"""The agent `bench` without Partywall: bare Pydantic AI with the same instructions, tools, output and model client.

Reads a task per line and answers with a line. `python -m bench.bare_agent URL`.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterable

import uvloop
from pydantic_ai import Agent, RunContext
from pydantic_ai.messages import AgentStreamEvent
from pydantic_ai.usage import UsageLimits

from bench import agent as agent_module
from partywall.adapters.language_models.catalogue import ConfiguredModels, create_model_client
from partywall.adapters.language_models.options import ModelOptions
from partywall.features.agents.deps import RunDeps

type Deps = RunDeps[agent_module.Task]


async def read_stream(_: RunContext[Deps], stream: AsyncIterable[AgentStreamEvent]) -> None:
    """Consumes the stream, so that the model streams as in the product."""
    async for _event in stream:
        pass


async def work(url: str) -> None:
    options = ModelOptions("openai:scripted", {}, (), url, None, {}, timeout=120.0, retries=2, connections=50)
    async with create_model_client(options) as client:
        model = ConfiguredModels(options, client).named("bench")
        agent: Agent[Deps, agent_module.Report] = Agent(
            model.model,
            name="bench",
            instructions=agent_module.INSTRUCTIONS,
            output_type=agent_module.Report,
            deps_type=RunDeps,
            model_settings=model.settings,
            tools=agent_module.TOOLS,
            retries=2,
        )
        while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
            result = await agent.run(
                line, event_stream_handler=read_stream, usage_limits=UsageLimits(request_limit=None)
            )
            print(result.output.report, flush=True)


def main() -> None:
    uvloop.run(work(sys.argv[1]))


if __name__ == "__main__":
    main()
