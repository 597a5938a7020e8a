"""Usage of whole runs on servers that tell it with every chunk; the forms themselves stand in the adapter's tests."""

from __future__ import annotations

import asyncio
import json

from tests.features.agents.bureau import Bureau, used_by
from tests.features.agents.model_server import Reply
from tests.features.agents.test_garbage import DONE, chunk, output

PROMPT, WORDS = 4_900, 20


def totals(*last: str) -> list[str]:
    """So many chunks of a word each, each with what was used by then."""
    return [chunk({"content": "word"}, usage=usage(at)) for at in range(1, WORDS + 1)] + list(last)


def usage(completion: int) -> dict[str, int]:
    return {"prompt_tokens": PROMPT, "completion_tokens": completion, "total_tokens": PROMPT + completion}


def search() -> str:
    function = {"name": "search", "arguments": json.dumps({"query": "x"})}
    return chunk({"tool_calls": [{"index": 0, "id": "1", "type": "function", "function": function}]})


async def test_running_totals_are_counted_once_and_stop_no_honest_run(bureau: Bureau) -> None:
    """The agent may use 50,000 tokens, and its project 20,000."""
    answer = await bureau.owner.client.put(f"{bureau.url}/budget", json={"tokens": 20_000})
    assert answer.status_code == 200
    ended = chunk({}, "tool_calls", usage=usage(WORDS))
    bureau.model.says(
        Reply(raw=totals(search(), ended, DONE)),
        Reply(raw=totals(search(), ended, DONE)),
        Reply(raw=totals(output(), ended, DONE)),
    )
    run = await bureau.run()
    assert (run["status"], run["error"]) == ("succeeded", None)
    used = used_by(run)
    assert (used["model_calls"], used["input_tokens"], used["output_tokens"]) == (3, 3 * PROMPT, 3 * WORDS)
    budget = (await bureau.owner.client.get(f"{bureau.url}/budget")).json()
    assert budget["used"]["tokens"] == 3 * (PROMPT + WORDS)
    told = [data for kind, data in await bureau.events(str(run["id"])) if kind == "usage"]
    assert [each["input_tokens"] for each in told] == [PROMPT, 2 * PROMPT, 3 * PROMPT]
    assert {json.dumps(asked.body["stream_options"]) for asked in bureau.model.asked} == {'{"include_usage": true}'}


async def test_a_call_that_is_cut_off_counts_the_last_total(bureau: Bureau) -> None:
    bureau.model.says(Reply(raw=[*totals(), *[": still here\n\n"] * 1_000], pause=0.02))
    async with bureau.working():
        run = await bureau.start()
        async with asyncio.timeout(60):
            while "token" not in dict(await bureau.events(run)):
                await asyncio.sleep(0.02)
        assert (await bureau.owner.client.post(f"{bureau.url}/runs/{run}/cancel")).status_code == 200
        used = used_by(await bureau.until(run))
    assert used["input_tokens"] == PROMPT
    assert 0 < int(str(used["output_tokens"])) <= WORDS
