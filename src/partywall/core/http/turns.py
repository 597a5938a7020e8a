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
# A round of the event loop that takes longer keeps everybody waiting who needs several of them for an answer.
LONG_ROUND_SECONDS: Final = 0.008
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
    # Of those that have begun, how many in this round of the event loop.
    fresh: int = 0


class Turns:
    """A burst of one address waits behind itself, so that the event loop has only so many of it to do at once.

    While rounds of the loop are long, fewer begin in each: half as many after a long one, one more after another.
    """

    def __init__(self, at_once: int = AT_ONCE, seconds: float = COUNTED_SECONDS) -> None:
        self._seconds = seconds
        self._at_once = at_once
        self._addresses: dict[str, _Address] = {}
        self._each_round = at_once
        # Those with a turn that has begun in this round.
        self._fresh: list[_Address] = []
        self._round_began = 0.0

    def take(self, address: str, begin: Callable[[], None]) -> Turn:
        """Calls `begin` now, or when its turn has come."""
        turn = Turn(self, address)
        state = self._addresses.get(address)
        if state is None:
            state = self._addresses[address] = _Address()
        if self._has_room(state):
            self._begin(state, turn, begin)
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
            if self._has_room(state):
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
        self._begin(state, turn, state.waiting.pop(turn))

    def _begin(self, state: _Address, turn: Turn, begin: Callable[[], None]) -> None:
        now = state.begun[turn] = time.monotonic()
        if not self._fresh:
            self._round_began = now
            asyncio.get_running_loop().call_soon(self._end_round)
        if not state.fresh:
            self._fresh.append(state)
        state.fresh += 1
        begin()

    def _has_room(self, state: _Address) -> bool:
        if len(state.begun) >= self._at_once:
            return False
        return state.fresh < self._each_round or self._each_round == self._at_once

    def _end_round(self) -> None:
        if time.monotonic() - self._round_began > LONG_ROUND_SECONDS:
            self._each_round = max(1, self._each_round // 2)
        else:
            self._each_round = min(self._at_once, self._each_round + 1)
        fresh, self._fresh = self._fresh, []
        for state in fresh:
            state.fresh = 0
        for state in fresh:
            while state.waiting and self._has_room(state):
                self._begin_next(state)

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
