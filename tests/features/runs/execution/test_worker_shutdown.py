"""Agent code that tries to exit the process ends only its own run, at once."""

from __future__ import annotations

import asyncio

import pytest

from tests.features.runs.agent_workspace import AgentWorkspace, code_of
from tests.features.runs.assistant import WAYS_OUT
from tests.features.runs.model_server import Asked, Reply, calling, final

DONE = final(answer="Done.", sources=[])
CALLS = {way.__name__: calling("leave", way=way.__name__) for way in WAYS_OUT} | {
    "thread": calling("leave_thread"),
    "task": calling("leave_task"),
}


async def begun(workspace: AgentWorkspace, *runs: str) -> list[int]:
    """How often each run was started."""
    return [(await workspace.kinds(run)).count("started") for run in runs]


async def test_a_tool_that_leaves_fails_its_run_and_no_other(workspace: AgentWorkspace) -> None:
    """All on one worker, beside a run that is in progress all the time."""
    over = asyncio.Event()

    def script(asked: Asked) -> Reply:
        if asked.prompt == "stay":
            return Reply(calls=DONE.calls, wait=over)
        return CALLS[asked.prompt]

    workspace.model.script = script
    async with workspace.working():
        staying = await workspace.start("stay")
        await workspace.until(staying, "running")
        left = [await workspace.start(way) for way in CALLS]
        found = [await workspace.until(run) for run in left]
        over.set()
        stayed = await workspace.until(staying)
    assert [code_of(run) for run in found] == ["tool_failed"] * len(CALLS)
    assert stayed["status"] == "succeeded", stayed
    assert await begun(workspace, staying, *left) == [1] * (1 + len(CALLS))
    assert len(workspace.model.asked) == 1 + len(CALLS)


@pytest.mark.parametrize("question", ["leave as you ask", "leave as you read", "leave as you answer"])
async def test_other_code_of_an_agent_that_leaves_breaks_its_run(workspace: AgentWorkspace, question: str) -> None:
    workspace.model.says(final(answer=question, sources=[]))
    run = await workspace.start("Anything?")
    await workspace.users.execute(
        "UPDATE run SET input = jsonb_build_object('question', $2::text) WHERE id::text = $1", run, question
    )
    async with workspace.working():
        found = await workspace.until(run)
    assert (code_of(found), await begun(workspace, run)) == ("agent_broken", [1])


async def test_an_input_type_that_leaves_ends_no_server(workspace: AgentWorkspace) -> None:
    answer = await workspace.post("leave as you read")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert (await workspace.post("Anything else?")).status_code == 202
