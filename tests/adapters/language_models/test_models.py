from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelAPIError
from structlog.contextvars import bound_contextvars

from partywall.adapters.language_models.catalogue import ConfiguredModels, create_model_client
from partywall.adapters.language_models.options import ModelOptions
from partywall.core.language_models import AgentModelNotConfiguredError
from tests.features.runs.model_server import ModelServer, Reply, model_server

NOTHING = ModelOptions(
    default=None, by_agent={}, fallbacks=(), base_url=None, api_key=None, keys={}, timeout=5.0, retries=0, connections=4
)


def options(**changed: object) -> ModelOptions:
    values = {name: getattr(NOTHING, name) for name in NOTHING.__slots__} | changed
    return ModelOptions(**values)


@pytest.fixture(scope="module")
async def server() -> AsyncIterator[ModelServer]:
    async with model_server() as model:
        yield model


async def ask(wanted: ModelOptions, agent: str = "any") -> str:
    async with create_model_client(wanted) as client:
        found = ConfiguredModels(wanted, client).named(agent)
        return (await Agent(found.model, model_settings=found.settings).run("Hello?")).output


async def test_nothing_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "ambient")
    async with create_model_client(NOTHING) as client:
        models = ConfiguredModels(NOTHING, client)
        assert not models.has("answer")
        with pytest.raises(AgentModelNotConfiguredError, match="AGENTS__MODELS__ANSWER"):
            models.named("answer")


@pytest.mark.parametrize("provider", ["openai", "ollama"])
async def test_a_compatible_server_gets_only_the_configured_key(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "ambient")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    server.says(Reply(text="Hello."))
    assert (await ask(options(default=f"{provider}:m", base_url=server.url))).strip() == "Hello."
    assert await ask(options(default=f"{provider}:m", base_url=server.url, api_key=SecretStr("given")))
    assert [asked.headers["authorization"] for asked in server.asked] == ["Bearer none", "Bearer given"]


async def test_an_agents_own_model_goes_first(server: ModelServer) -> None:
    server.says(Reply(text="Hello."))
    wanted = options(default="openai:common", by_agent={"answer": "openai:special"}, base_url=server.url)
    await ask(wanted, "answer")
    await ask(wanted, "other")
    assert [asked.body["model"] for asked in server.asked] == ["special", "common"]


async def test_a_fallback_is_asked_where_the_list_names_one(server: ModelServer) -> None:
    server.script = lambda asked: Reply(status=503) if asked.body["model"] == "first" else Reply(text="Second.")
    server.asked.clear()
    with pytest.raises(ModelAPIError):
        await ask(options(default="openai:first", base_url=server.url))
    assert (
        await ask(options(default="openai:first", fallbacks=("openai:next",), base_url=server.url))
    ).strip() == "Second."
    assert [asked.body["model"] for asked in server.asked] == ["first", "first", "next"]


async def test_a_request_that_failed_before_any_output_is_retried(server: ModelServer) -> None:
    server.says(Reply(status=503), Reply(text="Now."))
    assert (await ask(options(default="openai:m", base_url=server.url, retries=1))).strip() == "Now."


async def test_the_request_id_is_passed_on(server: ModelServer) -> None:
    server.says(Reply(text="Hello."))
    with bound_contextvars(request_id="the-cause"):
        await ask(options(default="openai:m", base_url=server.url))
    assert server.asked[0].headers["x-request-id"] == "the-cause"


async def test_a_silent_model_is_given_up(server: ModelServer) -> None:
    server.says(Reply(text="Late.", pause=5))
    with pytest.raises(ModelAPIError):
        await ask(options(default="openai:m", base_url=server.url, timeout=0.3))
