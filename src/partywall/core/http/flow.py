"""What uvicorn makes for every connection, and hardly any needs: of ten thousand it is a third of their memory."""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.flow_control import FlowControl


class Flow(FlowControl):
    """Has an event only while writing is paused."""

    __slots__ = ()

    def __init__(self, transport: asyncio.Transport) -> None:  # without uvicorn's, which makes the event
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
    """Requests behind one that is being answered, the last one first; a list for none is smaller than a deque."""

    __slots__ = ()

    def appendleft(self, item: T) -> None:
        self.insert(0, item)
