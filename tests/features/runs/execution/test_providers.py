"""Runs on every provider that the settings support, over HTTP on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from pydantic import SecretStr

from partywall.adapters.language_models.catalogue import ConfiguredModels, create_model_client
from partywall.adapters.language_models.options import ModelOptions, ServerOptions
from partywall.core.resources import Resources
from tests.features.runs.agent_workspace import AgentWorkspace, Json, used_by
from tests.features.runs.messages_server import MessagesServer, messages_server
from tests.features.runs.model_server import Asked, Reply, Script, calling, final
from tests.server import free_port

NOTHING = ModelOptions(
    default=None, by_agent={}, fallbacks=(), base_url=None, api_key=None, keys={}, timeout=20, retries=0, connections=4
)
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture(scope="module")
async def anthropic() -> AsyncIterator[MessagesServer]:
    async with messages_server() as found:
        yield found


@asynccontextmanager
async def models_of(resources: Resources, options: ModelOptions) -> AsyncIterator[Resources]:
    async with create_model_client(options) as client:
        yield replace(resources, language_models=ConfiguredModels(options, client))


async def run_on(workspace: AgentWorkspace, options: ModelOptions) -> Json:
    async with models_of(workspace.resources, options) as resources:
        run = await workspace.start("When does the supplier deliver?")
        async with workspace.working(resources):
            return await workspace.until(run)


async def test_a_run_on_anthropics_messages_reads_a_document_and_answers(
    workspace: AgentWorkspace, anthropic: MessagesServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(name, "ambient")
    monkeypatch.setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:9")
    document = await workspace.document("Contract", "Within ten days.")
    anthropic.says(
        Reply(text="Let me see.", calls=calling("read", document_id=document).calls),
        final(answer="In ten days.", sources=[document]),
    )
    server = ServerOptions(anthropic.url, SecretStr("given"))
    run = await run_on(workspace, replace(NOTHING, default="anthropic:scripted", servers={"anthropic": server}))
    assert (run["status"], run["error"]) == ("succeeded", None), run
    assert run["output"] == {"answer": "In ten days.", "sources": [document]}
    assert anthropic.asked[1].tool_results == ["Within ten days."]
    assert await workspace.kinds(str(run["id"])) == [
        "queued", "started", "usage", "tool_called", "tool_returned", "usage", "succeeded",
    ]  # fmt: skip
    tokens = [data["text"] for kind, data in await workspace.events(str(run["id"])) if kind == "token"]
    assert "".join(map(str, tokens)).startswith("Let me see. ")
    usage = used_by(run)
    assert (usage["input_tokens"], usage["output_tokens"]) == (40, 30)
    for asked in anthropic.asked:
        assert (asked.key, asked.body["model"], asked.body["stream"]) == ("given", "scripted", True)
        assert "ambient" not in str(asked.headers)


@pytest.mark.parametrize("provider", ["ollama", "lab"])
async def test_a_run_on_ollama_or_any_compatible_server_does_too(workspace: AgentWorkspace, provider: str) -> None:
    document = await workspace.document("Contract", "Within ten days.")
    workspace.model.says(calling("read", document_id=document), final(answer="In ten days.", sources=[document]))
    server = ServerOptions(workspace.model.url, SecretStr(provider))
    options = replace(NOTHING, default=f"{provider}:qwen3", servers={provider: server}, api_key=SecretStr("other"))
    run = await run_on(workspace, options)
    assert (run["status"], run["output"]) == ("succeeded", {"answer": "In ten days.", "sources": [document]}), run
    assert workspace.model.asked[1].tool_results == ["Within ten days."]
    for asked in workspace.model.asked:
        assert (asked.body["model"], asked.headers["authorization"]) == ("qwen3", f"Bearer {provider}")


async def test_a_run_goes_on_with_the_model_that_is_listed_next(
    workspace: AgentWorkspace, anthropic: MessagesServer
) -> None:
    """From one provider to another in the middle of a run; the conversation is kept."""
    document = await workspace.document("Contract", "Within ten days.")
    anthropic.says(calling("read", document_id=document), Reply(status=529))
    workspace.model.says(final(answer="In ten days.", sources=[document]))
    servers = {
        "anthropic": ServerOptions(anthropic.url, SecretStr("one")),
        "lab": ServerOptions(workspace.model.url, SecretStr("two")),
    }
    options = replace(NOTHING, default="anthropic:first", fallbacks=("lab:next",), servers=servers)
    run = await run_on(workspace, options)
    assert (run["status"], run["output"]) == ("succeeded", {"answer": "In ten days.", "sources": [document]}), run
    assert len(anthropic.asked) == 2
    [asked] = workspace.model.asked
    assert asked.tool_results == ["Within ten days."]
    assert asked.headers["authorization"] == "Bearer two"


async def test_the_second_answers_where_nobody_listens_at_the_firsts_address(workspace: AgentWorkspace) -> None:
    workspace.model.says(final(answer="Second.", sources=[]))
    servers = {
        "away": ServerOptions(f"http://127.0.0.1:{free_port()}/v1"),
        "lab": ServerOptions(workspace.model.url),
    }
    run = await run_on(workspace, replace(NOTHING, default="away:m", fallbacks=("lab:m",), servers=servers))
    assert (run["status"], run["output"]) == ("succeeded", {"answer": "Second.", "sources": []}), run


async def test_model_calls_carry_the_request_id_and_the_trace(workspace: AgentWorkspace) -> None:
    """Also in the turn after a decision, which another request resumed."""
    document = await workspace.document("Contract", "Within ten days.")
    workspace.model.script = _publish_then_answer(document)
    headers = {"X-Request-ID": "the-cause", "traceparent": TRACE}
    body = {"agent": "assistant", "input": {"question": "When?"}}
    started = await workspace.owner.client.post(f"{workspace.url}/runs", json=body, headers=headers)
    run = str(started.json()["id"])
    async with workspace.working():
        await workspace.until(run, "waiting")
        decision = {"pending_id": await workspace.pending_id(run), "approve": True}
        decided = await workspace.owner.client.post(f"{workspace.url}/runs/{run}/decision", json=decision)
        assert decided.status_code == 200, decided.text
        await workspace.until(run)
    assert len(workspace.model.asked) == 2
    for asked in workspace.model.asked:
        assert (asked.headers["x-request-id"], asked.headers["traceparent"]) == ("the-cause", TRACE)


async def test_what_is_no_trace_goes_no_further(workspace: AgentWorkspace) -> None:
    workspace.model.says(final(answer="Yes.", sources=[]))
    body = {"agent": "assistant", "input": {"question": "When?"}}
    headers = {"traceparent": TRACE.replace("4bf9", "XXXX")}
    started = await workspace.owner.client.post(f"{workspace.url}/runs", json=body, headers=headers)
    async with workspace.working():
        await workspace.until(str(started.json()["id"]))
    assert "traceparent" not in workspace.model.asked[0].headers


def _publish_then_answer(document: str) -> Script:
    def script(asked: Asked) -> Reply:
        if asked.tool_results:
            return final(answer="Published.", sources=[])
        return calling("publish", document_id=document)

    return script
