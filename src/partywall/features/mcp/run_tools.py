from __future__ import annotations

import hashlib
from functools import partial
from typing import Final

from partywall.core.http.idempotency import Idempotency
from partywall.core.rights import require
from partywall.features.agents.dependencies import get_registry
from partywall.features.agents.schemas import Agent, Agents
from partywall.features.agents.service import list_agents
from partywall.features.mcp.caller import Caller
from partywall.features.mcp.flat_schema import flat_schema
from partywall.features.mcp.run_follower import current, follow
from partywall.features.mcp.schemas import FollowArguments, FollowedRun, NoArguments, RunArguments, StartArguments
from partywall.features.mcp.tool import ReportProgress, Tool
from partywall.features.runs.rights import RUN_START
from partywall.features.runs.run_checks import RunChecks
from partywall.features.runs.schemas import Run

# The route in idempotency records of started runs; the HTTP route has its own.
_ROUTE: Final = "MCP start_run"


async def _list_agents(caller: Caller, _: NoArguments, __: ReportProgress) -> Agents:
    scope = await caller.reader.scope(caller.project_id)
    listed = list_agents(scope, await get_registry(caller.resources), caller.resources.language_models)
    return Agents(items=[_readable(agent) for agent in listed.items])


def _readable(agent: Agent) -> Agent:
    """The agent with inlined schemas, as the tools have; unchanged if they cannot be inlined."""
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
        require(service.scope, RUN_START)
        start = partial(service.start, checked, caller.request_id, caller.traceparent)
        return await once.run_model(service.session, Run, start)


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
        description="Lists the agents that can be started: the purpose of each, whether a model is configured for it, "
        "and the JSON Schemas of its input and output.",
        input=NoArguments,
        output=Agents,
        work=_list_agents,
    ),
    Tool(
        name="start_run",
        title="Start a run",
        description="Starts a run of an agent, with an input that fits its schema. Returns at once: use follow_run to "
        "get the result, and list_agents to see the agents. Runs may cost money.",
        input=StartArguments,
        output=Run,
        work=_start,
        reads=False,
    ),
    Tool(
        name="get_run",
        title="Get a run",
        description="Returns a run's current state, with its output once it has succeeded.",
        input=RunArguments,
        output=Run,
        work=_get,
    ),
    Tool(
        name="follow_run",
        title="Follow a run",
        description="Waits until a run is over or waits for a person's decision, at most `wait_seconds`, and returns "
        "it. Reports its steps as progress on request. If it is not `settled`, call this again.",
        input=FollowArguments,
        output=FollowedRun,
        work=_follow,
        waits=True,
    ),
    Tool(
        name="cancel_run",
        title="Cancel a run",
        description="Cancels a run: at once if it is queued or waiting, within two seconds if it is running.",
        input=RunArguments,
        output=Run,
        work=_cancel,
        reads=False,
        destroys=True,
    ),
)
