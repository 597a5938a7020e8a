from __future__ import annotations

import hashlib
from typing import Final

from partywall.core.http.idempotency import Idempotency
from partywall.features.agents import service as runs
from partywall.features.agents.dependencies import get_registry
from partywall.features.agents.run_checks import RunChecks
from partywall.features.agents.schemas import Agent, Agents, Run
from partywall.features.mcp.caller import Caller
from partywall.features.mcp.flat_schema import flat_schema
from partywall.features.mcp.run_follower import current, follow
from partywall.features.mcp.schemas import FollowArguments, FollowedRun, NoArguments, RunArguments, StartArguments
from partywall.features.mcp.tool import ReportProgress, Tool
from partywall.features.projects.rights import Right, require

# What the idempotency records of started runs go by; those of the HTTP route are others.
_ROUTE: Final = "MCP start_run"


async def _list_agents(caller: Caller, _: NoArguments, __: ReportProgress) -> Agents:
    scope = await caller.reader.scope(caller.project_id)
    listed = runs.list_agents(scope, await get_registry(caller.resources), caller.resources.language_models)
    return Agents(items=[_readable(agent) for agent in listed.items])


def _readable(agent: Agent) -> Agent:
    """With schemas like those of the tools, but for what cannot be written so."""
    try:
        schemas = {"input_schema": flat_schema(agent.input_schema), "output_schema": flat_schema(agent.output_schema)}
    except ValueError:
        return agent
    return agent.model_copy(update=schemas)


async def _start(caller: Caller, wanted: StartArguments, _: ReportProgress) -> Run:
    asked = hashlib.sha256(wanted.wanted().model_dump_json().encode()).digest()
    once = Idempotency(caller.principal, caller.project_id, _ROUTE, wanted.idempotency_key, asked)
    scope, registry = await caller.reader.scope(caller.project_id), await get_registry(caller.resources)
    checked = await RunChecks(caller.resources, registry).check(scope, wanted.wanted())
    async with caller.writing() as service:
        require(service.scope, Right.RUN_START)

        async def produce() -> Run:
            return await service.start(checked, caller.request_id, caller.traceparent)

        return await once.run_model(service.session, Run, produce)


async def _get(caller: Caller, wanted: RunArguments, _: ReportProgress) -> Run:
    return await current(caller, wanted.run_id)


async def _follow(caller: Caller, wanted: FollowArguments, report: ReportProgress) -> FollowedRun:
    return await follow(caller, wanted.run_id, wanted.wait_seconds, report)


async def _cancel(caller: Caller, wanted: RunArguments, _: ReportProgress) -> Run:
    async with caller.writing() as service:
        return await service.cancel(wanted.run_id)


RUN_TOOLS: Final = (
    Tool(
        name="list_agents",
        title="List agents",
        description="The agents that can be started: what each is for, whether a model is configured for it, and the "
        "JSON Schemas of its input and output.",
        input=NoArguments,
        output=Agents,
        work=_list_agents,
    ),
    Tool(
        name="start_run",
        title="Start a run",
        description="Starts an agent on an input that fits its schema, and answers at once: follow the run to its "
        "result. Runs may cost money; list_agents says what there is.",
        input=StartArguments,
        output=Run,
        work=_start,
        reads=False,
    ),
    Tool(
        name="get_run",
        title="Get a run",
        description="A run as it is now, with its output once it has succeeded.",
        input=RunArguments,
        output=Run,
        work=_get,
    ),
    Tool(
        name="follow_run",
        title="Follow a run",
        description="Waits until a run is over or waits for a person's decision, at most `wait_seconds`, and answers "
        "with it. Tells of its steps meanwhile, if asked for progress. Not `settled`: follow it again.",
        input=FollowArguments,
        output=FollowedRun,
        work=_follow,
        waits=True,
    ),
    Tool(
        name="cancel_run",
        title="Cancel a run",
        description="Ends a run: at once where it waits, within two seconds where it is at work.",
        input=RunArguments,
        output=Run,
        work=_cancel,
        reads=False,
        destroys=True,
    ),
)
