"""Errors of model servers: the kind goes to the user, the message to the log."""

from __future__ import annotations

from dataclasses import replace

import pytest
import structlog
from pydantic import SecretStr

from partywall.adapters.language_models.options import ServerOptions
from tests.features.runs.agent_workspace import AgentWorkspace, code_of
from tests.features.runs.execution.test_garbage import chunk, event
from tests.features.runs.execution.test_providers import NOTHING, models_of, run_on
from tests.features.runs.model_server import Reply

KEY = "a-key-of-the-tests"


def error(message: str, **fields: object) -> object:
    return {"error": {"message": message, **fields}}


CASES = {
    "ollama-tools": (400, error("registry.ollama.ai/library/gemma:2b does not support tools"), "model_without_tools"),
    "vllm-tools": (
        400,
        error('"auto" tool choice requires --enable-auto-tool-choice to be set'),
        "model_without_tools",
    ),
    "router-tools": (404, error("No endpoints found that support tool use."), "model_without_tools"),
    "llama-tools": (500, error("tools param requires --jinja flag"), "model_without_tools"),
    "openai-context": (400, error("41 words too many", code="context_length_exceeded"), "model_context_exceeded"),
    "llama-context": (400, error("the request exceeds the available context size"), "model_context_exceeded"),
    "tgi-context": (
        422,
        error("Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4096. Given: 5000"),
        "model_context_exceeded",
    ),
    "tgi-short": (422, error("`inputs` must have less than 1024 tokens. Given: 5000"), "model_context_exceeded"),
    "xai-context": (400, error("This model's maximum prompt length is 131072"), "model_context_exceeded"),
    "unknown": (404, error('model "nope" not found, try pulling it first'), "model_not_found"),
    "mistral-unknown": (400, {"message": "Invalid model: nope", "code": "1500"}, "model_not_found"),
    "key": (401, error(f"Incorrect API key provided: {KEY}."), "model_key_refused"),
    "google-key": (400, error("API key not valid. Please pass a valid API key."), "model_key_refused"),
    "quota": (429, error("You exceeded your quota", code="insufficient_quota"), "model_quota_exceeded"),
    "text": (422, "a page\x1b[31m\nof text", "model_refused"),
}


@pytest.mark.parametrize("name", CASES)
async def test_the_kind_is_in_the_error_and_the_words_in_the_log(workspace: AgentWorkspace, name: str) -> None:
    status, said, code = CASES[name]
    workspace.model.says(Reply(status=status, error=said))
    server = ServerOptions(workspace.model.url, SecretStr(KEY))
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as logs:
        run = await run_on(workspace, replace(NOTHING, default="lab:nope", servers={"lab": server}))
    assert (code_of(run), len(workspace.model.asked)) == (code, 1)
    assert f"(status {status})" in str(run["error"])
    for name_ in ("model_refusal", "run_failed"):
        [found] = [log for log in logs if log["event"] == name_]
        assert (found["project_id"], found["agent"], found["model"]) == (str(workspace.project), "assistant", "nope")
        assert found["status"] == status
    [failed] = [log for log in logs if log["event"] == "run_failed"]
    message = said["error"] if isinstance(said, dict) and "error" in said else said
    words = str(message["message"] if isinstance(message, dict) else message)
    assert failed["said"] == words.replace(KEY, "***").replace("\x1b", " ").replace("\n", " ")
    assert KEY not in str(logs)
    assert words not in str(run["error"])


async def test_an_error_in_the_middle_of_an_answer_is_logged(workspace: AgentWorkspace) -> None:
    workspace.model.says(Reply(raw=[event(error(f"no tokens left for {KEY}", code="insufficient_quota"))]))
    server = ServerOptions(workspace.model.url, SecretStr(KEY))
    with structlog.testing.capture_logs() as logs:
        run = await run_on(workspace, replace(NOTHING, default="lab:m", servers={"lab": server}))
    assert code_of(run) == "model_quota_exceeded"
    assert [log["said"] for log in logs if log["event"] == "run_failed"] == ["no tokens left for ***"]


async def test_an_html_page_instead_of_an_answer_is_logged(workspace: AgentWorkspace) -> None:
    """But not an answer that becomes unreadable later: its text belongs to the customer."""
    workspace.model.says(Reply(raw=["<html>Sign in, sk-0123456789abc</html>"], media_type="text/html"))
    with structlog.testing.capture_logs() as logs:
        assert code_of(await workspace.run()) == "model_invalid"
        workspace.model.says(Reply(raw=[chunk({"content": "private"}), "data: 1\n\n"]))
        assert code_of(await workspace.run()) == "model_invalid"
    assert [log["said"] for log in logs if log["event"] == "model_refusal"] == ["<html>Sign in, ***"]
    assert "private" not in str(logs)


async def test_a_long_error_is_cut(workspace: AgentWorkspace) -> None:
    workspace.model.says(Reply(status=400, error=error("word " * 1_000_000)))
    with structlog.testing.capture_logs() as logs:
        await workspace.run()
    assert {len(str(log["said"])) <= 500 for log in logs if "said" in log} == {True}


async def test_the_error_of_a_model_replaced_by_its_fallback_is_logged(workspace: AgentWorkspace) -> None:
    """Otherwise nobody would notice that its key is wrong."""
    workspace.model.script = lambda asked: Reply(status=401) if asked.body["model"] == "first" else Reply(status=400)
    servers = {"lab": ServerOptions(workspace.model.url)}
    options = replace(NOTHING, default="lab:first", fallbacks=("lab:second",), servers=servers)
    async with models_of(workspace.resources, options) as resources:
        with structlog.testing.capture_logs() as logs:
            run = await workspace.start()
            async with workspace.working(resources):
                await workspace.until(run)
    assert [(log["model"], log["status"]) for log in logs if log["event"] == "model_refusal"] == [
        ("first", 401), ("second", 400),
    ]  # fmt: skip
