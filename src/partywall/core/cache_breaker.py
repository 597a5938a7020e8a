"""A circuit breaker for a Valkey that accepts connections but never answers: one call waits, later ones fail."""

from __future__ import annotations

import math
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from typing import Final, Self

from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import RedisError

# How long one call may wait for an answer.
CALL_SECONDS: Final = 0.5
# How long calls fail at once after one that timed out; then one may try.
REST_SECONDS: Final = 2.0
# A server that answers or is unreachable responds faster. A much longer wait means that this process was suspended.
_SILENT: Final = 0.9 * CALL_SECONDS
_STALLED: Final = CALL_SECONDS + 0.25

# A command may connect first, which is also a call.
_calling: Final = ContextVar("calling", default=False)


class CacheSilentError(RedisConnectionError):
    """The circuit is open: the cache did not answer recently."""


class _SuspendedError(Exception):
    pass


class Breaker:
    """Shared by all connections of a client."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._closed_until = float("-inf")
        self._tripped = False

    def __deepcopy__(self, _memo: dict[int, object]) -> Self:
        """The library copies its arguments for each connection; they must share one breaker."""
        return self

    def enter(self) -> None:
        """Raises CacheSilentError while the circuit is open. Then one call may try; others fail until it succeeds."""
        if not self._tripped:
            return
        now = self.clock()
        if now < self._closed_until:
            raise CacheSilentError("the cache did not answer recently")
        self._closed_until = now + REST_SECONDS

    def trip(self) -> None:
        self._tripped = True
        self._closed_until = self.clock() + REST_SECONDS

    def close(self) -> None:
        self._tripped = False


class BreakingRetry(Retry):
    """Reopens a lost connection once; does not retry a call that timed out."""

    def __init__(self, breaker: Breaker) -> None:
        super().__init__(NoBackoff(), 1, (RedisConnectionError,))
        self._breaker = breaker

    async def call_with_retry[T](
        self,
        do: Callable[[], Awaitable[T]],
        fail: Callable[[Exception], object] | Callable[[Exception, int], object],
        is_retryable: Callable[[Exception], bool] | None = None,
        with_failure_count: bool = False,
    ) -> T:
        async def call() -> T:
            began = self._breaker.clock()

            def is_lost(error: Exception) -> bool:
                answered = self._breaker.clock() - began < _SILENT
                return answered and (is_retryable is None or is_retryable(error))

            return await super(BreakingRetry, self).call_with_retry(do, fail, is_lost, with_failure_count)

        if _calling.get():
            return await call()
        self._breaker.enter()
        token = _calling.set(True)
        try:
            return await self._watched(call)
        finally:
            _calling.reset(token)

    async def _watched[T](self, call: Callable[[], Awaitable[T]]) -> T:
        """Retries once if this process was suspended while it waited."""
        try:
            return await self._measured(call, _STALLED)
        except _SuspendedError:
            return await self._measured(call, math.inf)

    async def _measured[T](self, call: Callable[[], Awaitable[T]], longest: float) -> T:
        began = self._breaker.clock()
        try:
            answer = await call()
        except RedisError as error:
            waited = self._breaker.clock() - began
            if waited > longest:
                raise _SuspendedError from error
            if waited >= _SILENT:
                self._breaker.trip()
            else:
                self._breaker.close()
            raise
        self._breaker.close()
        return answer
