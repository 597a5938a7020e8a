"""Code of an agent that wants to end the process ends its own run, at once, and nothing else of the worker."""

from __future__ import annotations

import asyncio

import pytest

from tests.features.agents.assistant import WAYS_OUT
from tests.features.agents.bureau import Bureau, code_of
from tests.features.agents.model_server import Asked, Reply, calling, final

DONE = final(answer="Done.", sources=[])
CALLS = {way.__name__: calling("leave", way=way.__name__) for way in WAYS_OUT} | {
    "thread": calling("leave_thread"),
    "task": calling("leave_task"),
}


async def begun(bureau: Bureau, *runs: str) -> list[int]:
    """How often each was."""
    return [(await bureau.kinds(run)).count("started") for run in runs]


async def test_a_tool_that_leaves_fails_its_run_and_no_other(bureau: Bureau) -> None:
    """All of them on one worker, beside a run that is at work all the time."""
    over = asyncio.Event()

    def script(asked: Asked) -> Reply:
        if asked.prompt == "stay":
            return Reply(calls=DONE.calls, wait=over)
        return CALLS[asked.prompt]

    bureau.model.script = script
    async with bureau.working():
        staying = await bureau.start("stay")
        await bureau.until(staying, "running")
        left = [await bureau.start(way) for way in CALLS]
        found = [await bureau.until(run) for run in left]
        over.set()
        stayed = await bureau.until(staying)
    assert [code_of(run) for run in found] == ["tool_failed"] * len(CALLS)
    assert stayed["status"] == "succeeded", stayed
    assert await begun(bureau, staying, *left) == [1] * (1 + len(CALLS))
    assert len(bureau.model.asked) == 1 + len(CALLS)


@pytest.mark.parametrize("question", ["leave as you ask", "leave as you read", "leave as you answer"])
async def test_other_code_of_an_agent_that_leaves_breaks_its_run(bureau: Bureau, question: str) -> None:
    bureau.model.says(final(answer=question, sources=[]))
    run = await bureau.start("Anything?")
    await bureau.people.execute(
        "UPDATE run SET input = jsonb_build_object('question', $2::text) WHERE id::text = $1", run, question
    )
    async with bureau.working():
        found = await bureau.until(run)
    assert (code_of(found), await begun(bureau, run)) == ("agent_broken", [1])


async def test_an_input_type_that_leaves_ends_no_server(bureau: Bureau) -> None:
    answer = await bureau.post("leave as you read")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert (await bureau.post("Anything else?")).status_code == 202
