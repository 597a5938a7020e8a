"""Liveness and readiness: is the process alive, and can it serve?"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asgi_lifespan import LifespanManager
from httpx2 import ASGITransport, AsyncClient
from pydantic import SecretStr
from sqlalchemy import make_url

from partywall.main import create_app
from partywall.settings import EmbeddingSettings, MailSettings, Settings
from partywall.testing.engines import Superuser, Urls, new_database
from tests.server import free_port


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[AsyncClient]:
    app = create_app(settings)
    async with (
        LifespanManager(app, startup_timeout=60, shutdown_timeout=60),
        AsyncClient(transport=ASGITransport(app), base_url="http://test") as client,
    ):
        yield client


async def test_health_and_readiness(anonymous: AsyncClient) -> None:
    assert (await anonymous.get("/healthz")).json() == {"status": "alive"}
    ready = await anonymous.get("/readyz")
    assert ready.status_code == 200
    assert ready.json()["status"] == "ready"
    assert set(ready.json()["resources"]) >= {"database", "cache", "blobs", "embedder", "mailer"}


async def test_without_its_database_a_process_is_alive_and_not_ready(
    settings: Settings, engines: Urls, kept: Superuser
) -> None:
    own = await new_database(engines, "dropped")
    urls = {"url": SecretStr(own.runtime), "owner_url": SecretStr(own.owner)}
    without = settings.model_copy(update={"database": settings.database.model_copy(update=urls)})
    async with serving(without) as client:
        assert (await client.get("/readyz")).status_code == 200
        await kept.execute(f'DROP DATABASE "{make_url(own.runtime).database}" WITH (FORCE)')
        ready = await client.get("/readyz")
        assert (ready.status_code, ready.json()["status"]) == (503, "unavailable")
        assert [name for name, state in ready.json()["resources"].items() if state == "failing"] == ["database"]
        assert (await client.get("/healthz")).status_code == 200


async def test_an_unreachable_mail_server_stops_nothing(settings: Settings) -> None:
    mail = MailSettings.model_validate({"engine": "smtp", "host": "127.0.0.1", "port": free_port(), "from": "a@b.test"})
    async with serving(settings.model_copy(update={"mail": mail})) as client:
        ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert ready.json()["resources"]["mailer"] == "failing"


async def test_an_unreachable_cache_stops_nothing(settings: Settings) -> None:
    cache = settings.cache.model_copy(update={"url": SecretStr(f"redis://127.0.0.1:{free_port()}/0")})
    async with serving(settings.model_copy(update={"cache": cache})) as client:
        ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert ready.json()["resources"]["cache"] == "failing"


async def test_an_unreachable_embeddings_server_stops_nothing(settings: Settings) -> None:
    url = f"http://127.0.0.1:{free_port()}/v1"
    away = EmbeddingSettings.model_validate({"engine": "openai", "url": url, "model": "a-model", "dimension": 8})
    async with serving(settings.model_copy(update={"embeddings": away})) as client:
        ready = await client.get("/readyz")
    assert (ready.status_code, ready.json()["status"]) == (200, "degraded")
    assert [name for name, state in ready.json()["resources"].items() if state == "failing"] == ["embedder"]
