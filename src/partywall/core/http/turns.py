"""Requests of one client address begin a few at a time: the others of a burst wait, and cost nothing yet."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Callable, MutableMapping
from typing import Final

# How many of one address may be without an answer before the next ones wait.
AT_ONCE: Final = 16
# A request counts no longer than that: one that takes its time does not hold up others of the same network.
COUNTED_SECONDS: Final = 1.0
_TURN: Final = "turn"


class Turn:
    """What one request of an address holds until its answer begins."""

    __slots__ = ("_address", "_begin", "_timer", "_turns")

    def __init__(self, turns: Turns, address: str, begin: Callable[[], None]) -> None:
        self._turns = turns
        self._address = address
        self._begin = begin
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._turns.seconds, self.end)
        self._begin()

    def end(self) -> None:
        """Once it has begun; again it does nothing."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._turns.ended(self._address)

    def abandon(self) -> None:
        """Nobody waits for it any more. One that has begun is still worked on."""
        self._turns.leave(self._address, self)


class Turns:
    """A burst of one address waits behind itself, so that the event loop has only so many of it to do at once."""

    def __init__(self, at_once: int = AT_ONCE, seconds: float = COUNTED_SECONDS) -> None:
        self.seconds = seconds
        self._at_once = at_once
        self._under_way: Counter[str] = Counter()
        self._waiting: dict[str, OrderedDict[Turn, None]] = {}

    def take(self, address: str, begin: Callable[[], None]) -> Turn:
        """Calls `begin` now, or when its turn has come."""
        turn = Turn(self, address, begin)
        if self._under_way[address] < self._at_once:
            self._under_way[address] += 1
            turn.start()
        else:
            self._waiting.setdefault(address, OrderedDict())[turn] = None
        return turn

    def ended(self, address: str) -> None:
        waiting = self._waiting.get(address)
        if waiting is None:
            self._under_way[address] -= 1
            if not self._under_way[address]:
                del self._under_way[address]
            return
        following, _ = waiting.popitem(last=False)
        if not waiting:
            del self._waiting[address]
        following.start()

    def leave(self, address: str, turn: Turn) -> None:
        waiting = self._waiting.get(address)
        if waiting is not None:
            waiting.pop(turn, None)
            if not waiting:
                del self._waiting[address]


def note_turn(state: MutableMapping[str, object], turn: Turn) -> None:
    state[_TURN] = turn


def end_turn(state: MutableMapping[str, object]) -> None:
    """For an answer that does not end soon."""
    turn = state.get(_TURN)
    if isinstance(turn, Turn):
        turn.end()
