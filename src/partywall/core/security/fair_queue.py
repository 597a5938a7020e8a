from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from dataclasses import dataclass

from partywall.core.errors import TooManyRequestsError
from partywall.core.security.client_address import neighbourhood

type Waiter = asyncio.Future[None]


class QueueFullError(TooManyRequestsError):
    """The queue of the client, of its network or of all clients is full, or the wait was too long."""

    code = "passwords_busy"

    def __init__(self, seconds: int = 1) -> None:
        super().__init__(seconds)


@dataclass(frozen=True, slots=True)
class QueueLimits:
    """How many may wait: in all, of one network, and of one client."""

    most: int = 256
    per_network: int = 64
    per_client: int = 32


class FairQueue:
    """A queue in which networks take turns, and so do the clients of each network.

    If the queue is full, a waiter from a network with fewer waiters replaces the newest one of the largest network.
    """

    def __init__(self, room: QueueLimits) -> None:
        self._room = room
        self._networks: OrderedDict[str, OrderedDict[str, deque[Waiter]]] = OrderedDict()
        self._waiting: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._waiting.total()

    def join(self, client: str) -> Waiter:
        """Adds a waiter. Raises QueueFullError; a replaced waiter gets it too."""
        network = neighbourhood(client)
        self._make_room(network, client)
        turn = asyncio.get_running_loop().create_future()
        self._networks.setdefault(network, OrderedDict()).setdefault(client, deque()).append(turn)
        self._waiting[network] += 1
        return turn

    def leave(self, client: str, turn: Waiter) -> None:
        turns = self._of(client)
        if turn in turns:
            turns.remove(turn)
            self._count_off(neighbourhood(client), client)

    def next(self) -> Waiter:
        """Takes the first client's waiter of the first network, and moves client and network to the end."""
        network = next(iter(self._networks))
        clients = self._networks[network]
        client = next(iter(clients))
        turn = clients[client].popleft()
        clients.move_to_end(client)
        self._networks.move_to_end(network)
        self._count_off(network, client)
        return turn

    def _make_room(self, network: str, client: str) -> None:
        if len(self._of(client)) >= self._room.per_client or self._waiting[network] >= self._room.per_network:
            raise QueueFullError
        if len(self) < self._room.most:
            return
        [(heaviest, held)] = self._waiting.most_common(1) or [(network, 0)]
        if held <= self._waiting[network] + 1:
            raise QueueFullError
        loser, turns = max(self._networks[heaviest].items(), key=lambda item: len(item[1]))
        turn = turns[-1]
        self.leave(loser, turn)
        turn.set_exception(QueueFullError())

    def _of(self, client: str) -> deque[Waiter]:
        clients = self._networks.get(neighbourhood(client))
        return deque() if clients is None else clients.get(client, deque())

    def _count_off(self, network: str, client: str) -> None:
        clients = self._networks[network]
        if not clients[client]:
            del clients[client]
        if not clients:
            del self._networks[network]
        self._waiting[network] -= 1
        if not self._waiting[network]:
            del self._waiting[network]
