"""A server that is killed between commit and answer; runs in its own process."""

from __future__ import annotations

import asyncio
import os
import signal

from asgi_lifespan import LifespanManager
from httpx2 import ASGITransport, AsyncClient
from starlette.types import Message, Receive, Scope, Send

from partywall.main import create_app
from partywall.settings import Settings

TOKEN = "/api/v1/auth/token"


def refresh_and_die(settings: Settings, token: str) -> None:
    """Refreshes, then kills the process before the answer is sent. The transaction is committed by then."""
    asyncio.run(_refresh(settings, token))


async def _refresh(settings: Settings, token: str) -> None:
    app = create_app(settings)

    async def dying(scope: Scope, receive: Receive, send: Send) -> None:
        async def die(_: Message) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        await app(scope, receive, die)

    async with (
        LifespanManager(app, startup_timeout=60, shutdown_timeout=60),
        AsyncClient(transport=ASGITransport(dying), base_url="http://test") as client,
    ):
        await client.post(TOKEN, data={"grant_type": "refresh_token", "refresh_token": token})
