"""The application behind a real loopback server, because an in-process transport buffers streams."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import timedelta

import uvicorn
from fastapi import FastAPI

from partywall import server as serving
from partywall.core.resources import Resources
from partywall.main import create_app
from partywall.settings import EventSettings, Settings


class Server(serving.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Does nothing: pytest keeps its signal handlers."""
        yield


@dataclass(frozen=True, slots=True)
class Serving:
    app: FastAPI
    server: Server
    url: str
    task: asyncio.Task[None]

    @property
    def resources(self) -> Resources:
        found: Resources = self.app.state.resources
        return found

    async def stop(self) -> None:
        """Stops as on a signal: tells streams to drain, then waits for them."""
        self.app.state.draining.set()
        self.server.should_exit = True
        await self.task


@asynccontextmanager
async def serve(settings: Settings, port: int = 0) -> AsyncIterator[Serving]:
    app = create_app(settings)
    config = uvicorn.Config(app, host="127.0.0.1", port=port, **serving.server_options(settings))
    server = Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        if task.done():
            await task
        await asyncio.sleep(0.01)
    served = Serving(app, server, f"http://127.0.0.1:{server.port}", task)
    try:
        yield served
    finally:
        await served.stop()


def serve_without_polling(settings: Settings) -> AbstractAsyncContextManager[Serving]:
    """Streams poll so rarely that what arrives soon is due to a notification."""
    # A shorter heartbeat than the settings permit, so that the tests wait less.
    quick = {"poll_interval": timedelta(hours=1), "heartbeat": timedelta(milliseconds=200)}
    events = EventSettings().model_copy(update=quick)
    return serve(settings.model_copy(update={"events": events}))
