from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from partywall.core.errors import TooManyRequestsError
from partywall.core.security.client_address import neighbourhood

type _Waiting = deque[asyncio.Future[None]]


class QueueFullError(TooManyRequestsError):
    """As many wait already as may, of this client, of its network, or of all."""

    code = "passwords_busy"

    def __init__(self) -> None:
        super().__init__(1)


class FairPlaces:
    """Lets in `at_once`. Of those who wait, networks take turns, and so do the clients of one network.

    At most `most` wait, of one network `per_network`, of one client `per_client`. Where the queue is full, whoever
    comes from a network that has fewer in it takes the place of the last comer of the one that has most.
    """

    def __init__(self, at_once: int, most: int = 256, per_network: int = 64, per_client: int = 32) -> None:
        self._free = at_once
        self._limits = most, per_network, per_client
        self._queues: OrderedDict[str, OrderedDict[str, _Waiting]] = OrderedDict()
        self._waiting: Counter[str] = Counter()

    @property
    def waiting(self) -> int:
        return self._waiting.total()

    @asynccontextmanager
    async def enter(self, client: str) -> AsyncIterator[None]:
        """Waits for a place; raises QueueFullError."""
        await self._take(client)
        try:
            yield
        finally:
            self._pass_on()

    async def _take(self, client: str) -> None:
        if self._free:
            self._free -= 1
            return
        turn = self._queue_up(client)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self._pass_on()
            else:
                self._remove(client, turn)
            raise

    def _queue_up(self, client: str) -> asyncio.Future[None]:
        network = neighbourhood(client)
        self._make_room(network, client)
        turn = asyncio.get_running_loop().create_future()
        self._queues.setdefault(network, OrderedDict()).setdefault(client, deque()).append(turn)
        self._waiting[network] += 1
        return turn

    def _make_room(self, network: str, client: str) -> None:
        most, per_network, per_client = self._limits
        if len(self._of(client)) >= per_client or self._waiting[network] >= per_network:
            raise QueueFullError
        if self.waiting < most:
            return
        [(heaviest, held)] = self._waiting.most_common(1) or [(network, 0)]
        if held <= self._waiting[network] + 1:
            raise QueueFullError
        loser, turns = max(self._queues[heaviest].items(), key=lambda item: len(item[1]))
        turn = turns[-1]
        self._remove(loser, turn)
        turn.set_exception(QueueFullError())

    def _remove(self, client: str, turn: asyncio.Future[None]) -> None:
        network = neighbourhood(client)
        turns = self._of(client)
        if turn in turns:
            turns.remove(turn)
            self._count_off(network, client)

    def _of(self, client: str) -> _Waiting:
        clients = self._queues.get(neighbourhood(client))
        return deque() if clients is None else clients.get(client, deque())

    def _pass_on(self) -> None:
        """The place goes to the next who still waits."""
        while self._queues:
            turn = self._next()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _next(self) -> asyncio.Future[None]:
        """Of the first client of the first network, both of which then stand at the end of their lines."""
        network = next(iter(self._queues))
        clients = self._queues[network]
        client = next(iter(clients))
        turn = clients[client].popleft()
        clients.move_to_end(client)
        self._queues.move_to_end(network)
        self._count_off(network, client)
        return turn

    def _count_off(self, network: str, client: str) -> None:
        clients = self._queues[network]
        if not clients[client]:
            del clients[client]
        if not clients:
            del self._queues[network]
        self._waiting[network] -= 1
        if not self._waiting[network]:
            del self._waiting[network]
