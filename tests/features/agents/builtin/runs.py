"""Starts the shipped agents and reads what was sent to the model."""

from __future__ import annotations

import json
from typing import cast

from tests.features.runs.agent_workspace import AgentWorkspace, Json
from tests.features.runs.model_server import Asked

CONTRACT = "# Frame contract\n\nThe supplier delivers\nwithin ten days.  Late deliveries cost 2 % a week.\n"


async def run(workspace: AgentWorkspace, agent: str, *, continues: object = None, **given: object) -> Json:
    """Runs the agent until it is over."""
    return await workspace.run(agent=agent, input=given, continues=continues)


async def refusals(workspace: AgentWorkspace, agent: str, **given: object) -> dict[str, str]:
    """The messages of the 422 answer to this input, by pointer."""
    answer = await workspace.post(agent=agent, input=given)
    assert answer.status_code == 422, answer.text
    return {each["pointer"]: each["message"] for each in answer.json()["errors"]}


def output_of(run: Json) -> Json:
    assert run["status"] == "succeeded", run["error"]
    return cast("Json", run["output"])


def listed(output: Json, name: str) -> list[Json]:
    return cast("list[Json]", output[name])


def results(asked: Asked) -> list[Json]:
    """The tool results, as JSON."""
    return [json.loads(each) for each in asked.tool_results]


def complaint(asked: Asked) -> str:
    """The latest retry message to the model about its output."""
    return str(asked.messages[-1]["content"])
