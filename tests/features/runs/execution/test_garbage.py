"""Model servers that send invalid, oversized or partial answers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import structlog

from partywall.adapters.language_models.options import ServerOptions
from partywall.core.jobs import dead_letter
from tests.features.runs.agent_workspace import AgentWorkspace, Json, code_of, impatient_for_models, used_by
from tests.features.runs.execution.test_providers import NOTHING, run_on
from tests.features.runs.messages_server import messages_server
from tests.features.runs.model_server import Reply, calling, final

DONE = "data: [DONE]\n\n"
OUTPUT = json.dumps({"answer": "Soon.", "sources": []})


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letter, "FIRST_DELAY", dead_letter.FIRST_DELAY / 20)


def event(value: object) -> str:
    return f"data: {json.dumps(value)}\n\n"


def chunk(delta: Json, finish: str | None = None, **fields: object) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    envelope = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return event(envelope | fields)


def output(arguments: str = OUTPUT) -> str:
    function = {"name": "final_result", "arguments": arguments}
    return chunk(
        {"role": "assistant", "tool_calls": [{"index": 0, "id": "1", "type": "function", "function": function}]}
    )


def answer(*first: str, usage: object = None) -> Reply:
    return Reply(
        raw=[*first, output(), chunk({}, "tool_calls"), event({"id": "c", "choices": [], "usage": usage}), DONE]
    )


async def tokens(workspace: AgentWorkspace, run: Json) -> list[str]:
    return [str(data["text"]) for kind, data in await workspace.events(str(run["id"])) if kind == "token"]


@pytest.mark.parametrize(
    "sent",
    [
        "data: [1, 2, 3]\n\n",
        "data: null\n\n",
        'data: "x"\n\n',
        'data: {"choices": "no"}\n\n',
        'data: {"choices": [1]}\n\n',
        'data: {"choices": [{"delta": "x"}]}\n\n',
        chunk({"content": ["x", 1]}),
        chunk({"tool_calls": "x"}),
        chunk({"tool_calls": [{"index": 0, "function": {"name": 1, "arguments": 2}}]}),
        "data: {\n\n",
        "data: " + "[" * 100_000 + "\n\n",
        "<html>Sign in</html>",
        '{"choices": []}',
    ],
)
@pytest.mark.parametrize("place", ["first", "later"])
async def test_what_is_no_answer_fails_the_run_at_once(workspace: AgentWorkspace, sent: str, place: str) -> None:
    before = [chunk({"role": "assistant", "content": "One"})] if place == "later" and "data" in sent else []
    workspace.model.says(Reply(raw=[*before, sent, DONE] if "data" in sent else [sent]))
    with structlog.testing.capture_logs() as logs:
        run = await workspace.run()
    assert (code_of(run), len(workspace.model.asked)) == ("model_invalid", 1), run
    assert [log for log in logs if log.get("exc_info") or log["log_level"] == "error"] == []


async def test_an_html_page_is_an_invalid_answer(workspace: AgentWorkspace) -> None:
    workspace.model.says(Reply(raw=["<html></html>"], media_type="text/html"))
    run = await workspace.run()
    assert (code_of(run), len(workspace.model.asked)) == ("model_invalid", 1)


async def test_half_characters_are_replaced(workspace: AgentWorkspace) -> None:
    """Lone surrogates cannot be stored or sent to the model again."""
    call = {"index": 0, "id": "1", "type": "function", "function": {"name": "search", "arguments": '{"query": "x"}'}}
    pieces = [chunk({"role": "assistant", "content": "a\ud800b"}), chunk({"tool_calls": [call]})]
    workspace.model.says(
        Reply(raw=[*pieces, chunk({}, "tool_calls"), DONE]),
        final(answer="Soon.", sources=[]),
    )
    run = await workspace.run()
    assert (run["status"], run["error"]) == ("succeeded", None)
    assert "a\ufffdb" in str(workspace.model.asked[1].messages)
    assert (await tokens(workspace, run))[0] == "a\ufffdb"


@pytest.mark.parametrize(
    ("counts", "most"), [(10**30, 2**31 - 1), (2**63, 2**31 - 1), (2**62, 2**31 - 1), (-5, 0), (1e300, 2**31 - 1)]
)
async def test_tokens_are_counted_within_reason(workspace: AgentWorkspace, counts: float, most: int) -> None:
    workspace.model.says(answer(usage={"prompt_tokens": counts, "completion_tokens": counts, "total_tokens": counts}))
    runs = [await workspace.run() for _ in range(2)]
    assert [run["error"] for run in runs] == [None, None]
    budget = (await workspace.owner.client.get(f"{workspace.url}/budget")).json()
    counted = [used_by(run)[name] for run in runs for name in ("input_tokens", "output_tokens")]
    assert budget["used"]["tokens"] == sum(map(int, map(str, counted)))
    if most:
        assert counted == [most] * 4
    else:
        assert all(0 < int(str(each)) < 9_999 for each in counted)  # as estimated


@pytest.mark.parametrize(
    "usage",
    [
        None,
        {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0},
        "none",
        {"prompt_tokens": "many", "completion_tokens": ["x"], "prompt_tokens_details": 1},
    ],
)
async def test_tokens_that_nobody_counts_are_estimated(workspace: AgentWorkspace, usage: object) -> None:
    workspace.model.says(answer(usage=usage))
    run = await workspace.run("When? " * 100)
    used = used_by(run)
    # Estimate: four characters a token, over the whole request (with tools and output schema) and the answer.
    [asked] = workspace.model.asked
    sent = len(json.dumps(asked.body, separators=(",", ":")))
    assert 0.8 < 4 * int(str(used["input_tokens"])) / sent <= 1
    assert used["output_tokens"] == (len(OUTPUT) + 3) // 4


async def test_counts_that_are_written_as_text_count(workspace: AgentWorkspace) -> None:
    workspace.model.says(answer(usage={"prompt_tokens": "4000", "completion_tokens": "17.0", "total_tokens": "4017"}))
    run = await workspace.run()
    used = used_by(run)
    assert (run["status"], used["input_tokens"], used["output_tokens"]) == ("succeeded", 4000, 17)


async def test_long_pieces_become_events_of_bounded_size(workspace: AgentWorkspace) -> None:
    text = "".join(f"{number:07}," for number in range(2_600))
    workspace.model.says(answer(chunk({"role": "assistant", "content": text})))
    run = await workspace.run()
    told = await tokens(workspace, run)
    assert max(map(len, told)) == 4_000
    assert "".join(told) == text + OUTPUT


@pytest.mark.parametrize("pieces", [1, 20])
async def test_an_answer_that_is_too_long_fails_the_run(workspace: AgentWorkspace, pieces: int) -> None:
    long = chunk({"role": "assistant", "content": "x" * (1_000_001 // pieces + 1)})
    workspace.model.says(answer(*[long] * pieces))
    run = await workspace.run()
    assert (code_of(run), len(workspace.model.asked)) == ("model_invalid", 1)
    assert "1,000,000 characters" in str(run["error"])


async def test_an_answer_that_ends_in_the_middle_is_asked_for_again(workspace: AgentWorkspace) -> None:
    workspace.model.says(
        Reply(raw=[chunk({"role": "assistant", "content": "One mo"})]),
        Reply(raw=[output()]),
        Reply(raw=[]),
        final(answer="Soon.", sources=[]),
    )
    run = await workspace.run()
    assert (run["status"], run["error"], len(workspace.model.asked)) == ("succeeded", None, 4)
    assert used_by(run)["model_calls"] == 3  # all but the empty one


@pytest.mark.parametrize("ending", [[DONE], [chunk({}, "tool_calls")], [chunk({}, "tool_calls"), "data: [DONE]"]])
async def test_either_end_marker_is_accepted(workspace: AgentWorkspace, ending: list[str]) -> None:
    workspace.model.says(Reply(raw=[output(), *ending]))
    assert (await workspace.run())["status"] == "succeeded"


async def test_a_truncated_answer_of_anthropic_is_requested_again(workspace: AgentWorkspace) -> None:
    async with messages_server() as anthropic:
        anthropic.says(replace(final(answer="Half.", sources=[]), cut=True), final(answer="Soon.", sources=[]))
        server = ServerOptions(anthropic.url)
        run = await run_on(workspace, replace(NOTHING, default="anthropic:m", servers={"anthropic": server}))
    assert (run["status"], len(anthropic.asked)) == ("succeeded", 2), run


async def test_a_model_that_only_keeps_the_connection_alive_is_silent(workspace: AgentWorkspace) -> None:
    workspace.model.says(Reply(raw=[": keep-alive\n\n"] * 1_000, pause=0.02))
    server = {"lab": ServerOptions(workspace.model.url)}
    options = replace(NOTHING, default="lab:m", servers=server, timeout=0.2)
    run = await run_on(replace(workspace, resources=impatient_for_models(workspace.resources)), options)
    assert code_of(run) == "model_unavailable"


async def test_what_the_library_says_is_not_shown(workspace: AgentWorkspace) -> None:
    workspace.model.says(calling("read", document_id="x"))
    run = await workspace.run()
    assert code_of(run) == "output_invalid"
    assert "pydantic" not in str(run["error"])
    assert "retr" not in str(run["error"])
