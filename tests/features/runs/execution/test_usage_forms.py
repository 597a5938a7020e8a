"""Usage of whole runs on servers that report it with every chunk. The adapter's tests cover the formats."""

from __future__ import annotations

import asyncio
import json

from tests.features.runs.agent_workspace import AgentWorkspace, used_by
from tests.features.runs.execution.test_garbage import DONE, chunk, output
from tests.features.runs.model_server import Reply

PROMPT, WORDS = 4_900, 20


def totals(*last: str) -> list[str]:
    """WORDS chunks of one word, each with the usage so far."""
    return [chunk({"content": "word"}, usage=usage(at)) for at in range(1, WORDS + 1)] + list(last)


def usage(completion: int) -> dict[str, int]:
    return {"prompt_tokens": PROMPT, "completion_tokens": completion, "total_tokens": PROMPT + completion}


def search() -> str:
    function = {"name": "search", "arguments": json.dumps({"query": "x"})}
    return chunk({"tool_calls": [{"index": 0, "id": "1", "type": "function", "function": function}]})


async def test_running_totals_are_counted_once(workspace: AgentWorkspace) -> None:
    """The agent's limit is 50,000 tokens, the project's 20,000."""
    answer = await workspace.owner.client.put(f"{workspace.url}/budget", json={"tokens": 20_000})
    assert answer.status_code == 200
    ended = chunk({}, "tool_calls", usage=usage(WORDS))
    workspace.model.says(
        Reply(raw=totals(search(), ended, DONE)),
        Reply(raw=totals(search(), ended, DONE)),
        Reply(raw=totals(output(), ended, DONE)),
    )
    run = await workspace.run()
    assert (run["status"], run["error"]) == ("succeeded", None)
    used = used_by(run)
    assert (used["model_calls"], used["input_tokens"], used["output_tokens"]) == (3, 3 * PROMPT, 3 * WORDS)
    budget = (await workspace.owner.client.get(f"{workspace.url}/budget")).json()
    assert budget["used"]["tokens"] == 3 * (PROMPT + WORDS)
    told = [data for kind, data in await workspace.events(str(run["id"])) if kind == "usage"]
    assert [each["input_tokens"] for each in told] == [PROMPT, 2 * PROMPT, 3 * PROMPT]
    assert {json.dumps(asked.body["stream_options"]) for asked in workspace.model.asked} == {'{"include_usage": true}'}


async def test_a_call_that_is_cut_off_counts_the_last_total(workspace: AgentWorkspace) -> None:
    workspace.model.says(Reply(raw=[*totals(), *[": still here\n\n"] * 1_000], pause=0.02))
    async with workspace.working():
        run = await workspace.start()
        async with asyncio.timeout(60):
            while "token" not in dict(await workspace.events(run)):
                await asyncio.sleep(0.02)
        assert (await workspace.owner.client.post(f"{workspace.url}/runs/{run}/cancel")).status_code == 200
        used = used_by(await workspace.until(run))
    assert used["input_tokens"] == PROMPT
    assert 0 < int(str(used["output_tokens"])) <= WORDS
