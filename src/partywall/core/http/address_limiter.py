"""Limits how many requests of one client address are served at once; the rest of a burst waits."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, MutableMapping
from dataclasses import dataclass, field
from typing import Final

from partywall.core.errors import PartywallError, UnavailableError

# How many unanswered requests an address may have before the next ones wait.
AT_ONCE: Final = 16
# A request counts at most this long, so that slow ones do not block others of the same network.
COUNTED_SECONDS: Final = 1.0
# After this wait a request is refused.
MAX_WAIT_SECONDS: Final = 10.0
# A longer round of the event loop delays every request that needs several rounds.
LONG_ROUND_SECONDS: Final = 0.008
_SLOT: Final = "request_slot"


def _nothing(*_: object) -> None:
    pass


class AddressBusyError(UnavailableError):
    """Too many requests of the same address are waiting or in progress."""

    def __init__(self) -> None:
        super().__init__("Too many requests from your address are in progress.", headers={"Retry-After": "1"})


class RequestSlot:
    """One request's share of its address: held until the answer begins, except while its body is awaited.

    `caller` stands for its credential: one caller gets at most three quarters of an address's slots.
    """

    __slots__ = ("_address", "_address_limiter", "caller", "is_whole")

    def __init__(self, address_limiter: AddressLimiter, address: str, caller: Hashable) -> None:
        self._address_limiter = address_limiter
        self._address = address
        self.caller = caller
        # The whole request has arrived.
        self.is_whole = False

    def end(self) -> None:
        """Releases the slot; further calls do nothing."""
        self._address_limiter.ended(self._address, self)

    def pause(self) -> bool:
        """Releases the slot while the rest of the body is awaited; false if it has all arrived.

        After true, `again` must follow.
        """
        if self.is_whole:
            return False
        self.end()
        return True

    async def again(self) -> None:
        """Waits for a slot again; raises AddressBusyError after a long wait, or if the client has gone."""
        future = asyncio.get_running_loop().create_future()

        def begin() -> None:
            if not future.done():
                future.set_result(None)

        def refuse(*_: object) -> None:
            if not future.done():
                future.set_exception(AddressBusyError())

        self._address_limiter.wait(self._address, self, _Waiting(begin, refuse, refuse))
        try:
            await future
        finally:
            self._address_limiter.leave(self._address, self)

    @property
    def waits(self) -> bool:
        """Whether the request is still waiting for a slot."""
        return self._address_limiter.waits(self._address, self)

    def abandon(self) -> None:
        """The client has gone: stops waiting. A request that has begun goes on."""
        waiting = self._address_limiter.leave(self._address, self)
        if waiting is not None:
            waiting.abandoned()


@dataclass(slots=True)
class _Waiting:
    """Callbacks that begin a request, refuse it after a long wait, or end it when its client has gone."""

    begin: Callable[[], None]
    refuse: Callable[[PartywallError], None]
    abandoned: Callable[[], None] = _nothing
    since: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class _Address:
    """An address's slots in the order of their begin, with the time, and each caller's waiting requests.

    A request keeps its slot, so a slot must not refer to what begins the request: only Python's cycle collector would
    free such a pair.
    """

    begun: dict[RequestSlot, float] = field(default_factory=dict)
    held: Counter[Hashable] = field(default_factory=Counter)
    waiting: dict[Hashable, dict[RequestSlot, _Waiting]] = field(default_factory=dict)
    timer: asyncio.TimerHandle | None = None
    # How many began in this round of the event loop.
    fresh: int = 0

    def join(self, slot: RequestSlot, waiting: _Waiting) -> None:
        self.waiting.setdefault(slot.caller, {})[slot] = waiting

    def leave(self, slot: RequestSlot) -> _Waiting | None:
        mine = self.waiting.get(slot.caller, {})
        waiting = mine.pop(slot, None)
        if waiting is not None and not mine:
            del self.waiting[slot.caller]
        return waiting

    def pass_on(self, caller: Hashable) -> tuple[RequestSlot, _Waiting]:
        """The caller's first waiting slot; moves the caller behind the others."""
        mine = self.waiting.pop(caller)
        slot = next(iter(mine))
        waiting = mine.pop(slot)
        if mine:
            self.waiting[caller] = mine
        return slot, waiting

    def late(self, before: float) -> list[RequestSlot]:
        return [slot for mine in self.waiting.values() for slot, waiting in mine.items() if waiting.since <= before]


class AddressLimiter:
    """Limits requests by address, so that a burst from one address delays only itself.

    The callers of an address take turns: one that sends many requests does not delay others at the same address. When a
    round of the loop takes long, half as many requests may begin in the next; after each short round, one more.
    """

    def __init__(self, at_once: int = AT_ONCE, seconds: float = COUNTED_SECONDS) -> None:
        self._seconds = seconds
        self._at_once = at_once
        self._each_caller = at_once - at_once // 4
        self._addresses: dict[str, _Address] = {}
        self._each_round = at_once
        # Addresses whose slots began in this round.
        self._fresh: list[_Address] = []
        self._round_began = 0.0

    def take(
        self,
        address: str,
        begin: Callable[[], None],
        refuse: Callable[[PartywallError], None] = _nothing,
        caller: Hashable = None,
    ) -> RequestSlot:
        """Calls `begin` now or when a slot is free, or `refuse` after a long wait."""
        slot = RequestSlot(self, address, caller)
        self.wait(address, slot, _Waiting(begin, refuse))
        return slot

    def wait(self, address: str, slot: RequestSlot, waiting: _Waiting) -> None:
        state = self._addresses.get(address)
        if state is None:
            state = self._addresses[address] = _Address()
        if self._has_room(state, slot.caller):
            self._begin(state, slot, waiting)
        else:
            state.join(slot, waiting)
            if state.timer is None:
                self._look_later(address, state)

    def ended(self, address: str, slot: RequestSlot) -> None:
        state = self._addresses.get(address)
        if state is None or state.begun.pop(slot, None) is None:
            return
        state.held[slot.caller] -= 1
        if not state.held[slot.caller]:
            del state.held[slot.caller]
        self._begin_next(state)
        if not state.waiting and not state.begun:
            self._forget(address, state)

    def waits(self, address: str, slot: RequestSlot) -> bool:
        state = self._addresses.get(address)
        return state is not None and slot in state.waiting.get(slot.caller, ())

    def leave(self, address: str, slot: RequestSlot) -> _Waiting | None:
        state = self._addresses.get(address)
        return None if state is None else state.leave(slot)

    def _begin_next(self, state: _Address) -> bool:
        """False if no waiting request may begin."""
        caller = next((each for each in state.waiting if self._has_room(state, each)), state)
        if caller is state:
            return False
        self._begin(state, *state.pass_on(caller))
        return True

    def _begin(self, state: _Address, slot: RequestSlot, waiting: _Waiting) -> None:
        now = state.begun[slot] = time.monotonic()
        state.held[slot.caller] += 1
        if not self._fresh:
            self._round_began = now
            asyncio.get_running_loop().call_soon(self._end_round)
        if not state.fresh:
            self._fresh.append(state)
        state.fresh += 1
        waiting.begin()

    def _has_room(self, state: _Address, caller: Hashable) -> bool:
        if len(state.begun) >= self._at_once or state.held.get(caller, 0) >= self._each_caller:
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
            while self._begin_next(state):
                pass

    def _look_later(self, address: str, state: _Address) -> None:
        now = time.monotonic()
        left = next(iter(state.begun.values()), now) + self._seconds - now
        state.timer = asyncio.get_running_loop().call_later(left, self._look, address, state)

    def _look(self, address: str, state: _Address) -> None:
        """While requests wait, stops counting old ones, and refuses those that have waited long."""
        state.timer = None
        now = time.monotonic()
        while state.waiting and state.begun and next(iter(state.begun.values())) <= now - self._seconds:
            self.ended(address, next(iter(state.begun)))
        for slot in state.late(now - MAX_WAIT_SECONDS):
            waiting = state.leave(slot)
            if waiting is not None:
                waiting.refuse(AddressBusyError())
        if state.waiting:
            self._look_later(address, state)

    def _forget(self, address: str, state: _Address) -> None:
        if state.timer is not None:
            state.timer.cancel()
        del self._addresses[address]


def caller_of(headers: Iterable[tuple[bytes, bytes]]) -> int:
    """Identifies a request's credential, which is not verified yet."""
    return hash(next((value for name, value in headers if name == b"authorization"), b""))


def set_request_slot(state: MutableMapping[str, object], slot: RequestSlot) -> None:
    state[_SLOT] = slot


def request_slot_of(state: MutableMapping[str, object]) -> RequestSlot | None:
    """None if another server runs the application."""
    slot = state.get(_SLOT)
    return slot if isinstance(slot, RequestSlot) else None


def end_request_slot(state: MutableMapping[str, object]) -> None:
    """For an answer that takes long."""
    slot = request_slot_of(state)
    if slot is not None:
        slot.end()
