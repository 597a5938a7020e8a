"""Requests of one client address begin a few at a time: the others of a burst wait, and cost nothing yet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Final

# How many of one address may be without an answer before the next ones wait.
AT_ONCE: Final = 16
# A request counts no longer than that: one that takes its time does not hold up others of the same network.
COUNTED_SECONDS: Final = 1.0
_TURN: Final = "turn"


class Turn:
    """What one request of an address holds until its answer begins."""

    __slots__ = ("_address", "_turns")

    def __init__(self, turns: Turns, address: str) -> None:
        self._turns = turns
        self._address = address

    def end(self) -> None:
        """Once it has begun; again it does nothing."""
        self._turns.ended(self._address, self)

    @property
    def waits(self) -> bool:
        """It has not begun."""
        return self._turns.waits(self._address, self)

    def abandon(self) -> None:
        """Nobody waits for it any more. One that has begun is still worked on."""
        self._turns.leave(self._address, self)


@dataclass(slots=True)
class _Address:
    """Its turns in the order in which they have begun, each with the time, and those that wait, with what begins them.

    A turn is kept by its request, so it must not keep what begins the request: each would be garbage that only
    Python's collector finds.
    """

    begun: dict[Turn, float] = field(default_factory=dict)
    waiting: dict[Turn, Callable[[], None]] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None


class Turns:
    """A burst of one address waits behind itself, so that the event loop has only so many of it to do at once."""

    def __init__(self, at_once: int = AT_ONCE, seconds: float = COUNTED_SECONDS) -> None:
        self._seconds = seconds
        self._at_once = at_once
        self._addresses: dict[str, _Address] = {}

    def take(self, address: str, begin: Callable[[], None]) -> Turn:
        """Calls `begin` now, or when its turn has come."""
        turn = Turn(self, address)
        state = self._addresses.get(address)
        if state is None:
            state = self._addresses[address] = _Address()
        if len(state.begun) < self._at_once:
            state.begun[turn] = time.monotonic()
            begin()
        else:
            state.waiting[turn] = begin
            if state.timer is None:
                self._look_later(address, state)
        return turn

    def ended(self, address: str, turn: Turn) -> None:
        state = self._addresses.get(address)
        if state is None or state.begun.pop(turn, None) is None:
            return
        if state.waiting:
            self._begin_next(state)
        elif not state.begun:
            self._forget(address, state)

    def waits(self, address: str, turn: Turn) -> bool:
        state = self._addresses.get(address)
        return state is not None and turn in state.waiting

    def leave(self, address: str, turn: Turn) -> None:
        state = self._addresses.get(address)
        if state is not None:
            state.waiting.pop(turn, None)

    def _begin_next(self, state: _Address) -> None:
        turn = next(iter(state.waiting))
        begin = state.waiting.pop(turn)
        state.begun[turn] = time.monotonic()
        begin()

    def _look_later(self, address: str, state: _Address) -> None:
        left = next(iter(state.begun.values())) + self._seconds - time.monotonic()
        state.timer = asyncio.get_running_loop().call_later(left, self._look, address, state)

    def _look(self, address: str, state: _Address) -> None:
        """Those that have begun long ago count no more, as long as others wait."""
        state.timer = None
        before = time.monotonic() - self._seconds
        while state.waiting and state.begun and next(iter(state.begun.values())) <= before:
            self.ended(address, next(iter(state.begun)))
        if state.waiting:
            self._look_later(address, state)

    def _forget(self, address: str, state: _Address) -> None:
        if state.timer is not None:
            state.timer.cancel()
        del self._addresses[address]


def note_turn(state: MutableMapping[str, object], turn: Turn) -> None:
    state[_TURN] = turn


def end_turn(state: MutableMapping[str, object]) -> None:
    """For an answer that does not end soon."""
    turn = state.get(_TURN)
    if isinstance(turn, Turn):
        turn.end()
