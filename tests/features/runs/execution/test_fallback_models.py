"""Models that fail in the middle of an answer and have fallbacks."""

from __future__ import annotations

import asyncio
import itertools
import json
from dataclasses import replace

import pytest
import structlog

from partywall.adapters.language_models.options import ModelOptions, ServerOptions
from partywall.core.jobs import dead_letter
from tests.features.runs.agent_workspace import AgentWorkspace, Json, code_of, patient_for_models, used_by
from tests.features.runs.execution.test_providers import NOTHING, models_of, run_on
from tests.features.runs.messages_server import messages_server
from tests.features.runs.model_server import Asked, Reply, Script, calling, final

CUT = Reply(text="half", cut=True)
GARBAGE = Reply(raw=['data: {"id": "c", "choices": [{"index": 0, "delta": {"content": "half "}}]}\n\n', "data: 1\n\n"])
DONE = final(answer="Done.", sources=[])


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letter, "FIRST_DELAY", dead_letter.FIRST_DELAY / 100)


def listed(workspace: AgentWorkspace, *models: str) -> ModelOptions:
    first, *others = (f"lab:{name}" for name in models)
    return replace(NOTHING, default=first, fallbacks=others, servers={"lab": ServerOptions(workspace.model.url)})


def by_model(**replies: Reply | list[Reply]) -> Script:
    """Gives each model's replies in turn; repeats its last one."""

    def script(asked: Asked) -> Reply:
        found = replies[str(asked.body["model"])]
        if isinstance(found, Reply):
            return found
        return found.pop(0) if len(found) > 1 else found[0]

    return script


def models_asked(workspace: AgentWorkspace) -> list[object]:
    return [asked.body["model"] for asked in workspace.model.asked]


async def told(workspace: AgentWorkspace, run: Json) -> list[str]:
    """The event types, with the reason when a run is queued again."""
    events = await workspace.events(str(run["id"]))
    return [f"{kind}: {data['reason']}" if "reason" in data else kind for kind, data in events]


async def test_the_next_model_answers_where_the_first_breaks_off_in_the_middle(workspace: AgentWorkspace) -> None:
    """At once, with the events of every repeated call: queued with a reason, started, new tokens."""
    heard = asyncio.Event()
    workspace.model.script = by_model(first=Reply(text="half", wait=heard, cut=True), second=DONE)
    async with models_of(workspace.resources, listed(workspace, "first", "second")) as resources:
        run = await workspace.start()
        with structlog.testing.capture_logs() as logs:
            async with workspace.working(resources):
                async with asyncio.timeout(60):
                    while "token" not in dict(await workspace.events(run)):
                        await asyncio.sleep(0.02)
                heard.set()
                found = await workspace.until(run)
    assert (found["status"], found["output"]) == ("succeeded", {"answer": "Done.", "sources": []}), found
    assert models_asked(workspace) == ["first", "second"]
    assert [kind for kind, _ in itertools.groupby(await told(workspace, found))] == [
        "queued", "started", "token", "usage", "queued: model_unavailable", "started", "token", "usage", "succeeded",
    ]  # fmt: skip
    tokens = [data for kind, data in await workspace.events(run) if kind == "token"]
    assert (tokens[0], {data["call"] for data in tokens}) == ({"text": "half ", "part": "text", "call": 1}, {1})
    assert json.loads("".join(str(data["text"]) for data in tokens[1:])) == found["output"]
    assert [log for log in logs if log["event"] == "job_put_back"] == []


async def test_it_answers_too_where_the_first_becomes_unreadable_in_the_middle(workspace: AgentWorkspace) -> None:
    workspace.model.script = by_model(first=GARBAGE, second=DONE)
    run = await run_on(workspace, listed(workspace, "first", "second"))
    assert run["status"] == "succeeded", run
    assert models_asked(workspace) == ["first", "second"]
    assert "queued: model_invalid" in await told(workspace, run)


async def test_what_is_done_is_not_repeated_for_the_next_model(workspace: AgentWorkspace) -> None:
    document = await workspace.document()
    writes = calling("append", document_id=document, text="once")
    workspace.model.script = by_model(first=[writes, CUT], second=DONE)
    run = await run_on(workspace, listed(workspace, "first", "second"))
    assert run["status"] == "succeeded", run
    assert models_asked(workspace) == ["first", "first", "second"]
    assert len(workspace.model.asked[2].tool_results) == 1
    assert used_by(run)["model_calls"] == 3, "the interrupted call must count"
    content = await workspace.owner.client.get(f"{workspace.url}/documents/{document}/content")
    assert content.text.count("once") == 1


async def test_the_fallback_is_the_model_after_the_failed_one(workspace: AgentWorkspace) -> None:
    workspace.model.script = by_model(first=Reply(status=503), second=CUT, third=CUT, fourth=DONE)
    run = await run_on(workspace, listed(workspace, "first", "second", "third", "fourth"))
    assert run["status"] == "succeeded", run
    assert models_asked(workspace) == ["first", "second", "third", "fourth"]


async def test_every_attempt_asks_all_models_and_the_last_one_ends_the_run(workspace: AgentWorkspace) -> None:
    workspace.model.script = by_model(first=CUT, second=CUT)
    run = await run_on(workspace, listed(workspace, "first", "second"))
    assert code_of(run) == "model_unavailable"
    assert models_asked(workspace)[:4] == ["first", "second"] * 2


async def test_an_attempt_with_a_broken_answer_counts_even_if_the_last_model_is_away(workspace: AgentWorkspace) -> None:
    workspace.model.script = by_model(first=CUT, second=Reply(status=503))
    patient = patient_for_models(workspace.resources, max_attempts=2)
    run = await run_on(replace(workspace, resources=patient), listed(workspace, "first", "second"))
    assert code_of(run) == "model_unavailable"
    assert models_asked(workspace) == ["first", "second"] * 2


async def test_the_fallback_is_asked_even_with_a_single_attempt(workspace: AgentWorkspace) -> None:
    workspace.model.script = by_model(first=CUT, second=DONE)
    async with models_of(workspace.resources, listed(workspace, "first", "second")) as resources:
        agents = resources.settings.agents.model_copy(update={"max_attempts": 1})
        settings = resources.settings.model_copy(update={"agents": agents})
        run = await workspace.start()
        async with workspace.working(replace(resources, settings=settings)):
            found = await workspace.until(run)
    assert found["status"] == "succeeded", found


async def test_between_providers_too(workspace: AgentWorkspace) -> None:
    workspace.model.script = by_model(second=DONE)
    async with messages_server() as anthropic:
        anthropic.says(CUT)
        servers = {"anthropic": ServerOptions(anthropic.url), "lab": ServerOptions(workspace.model.url)}
        options = replace(NOTHING, default="anthropic:first", fallbacks=("lab:second",), servers=servers)
        run = await run_on(workspace, options)
    assert run["status"] == "succeeded", run
    assert (len(anthropic.asked), models_asked(workspace)) == (1, ["second"])
