"""What a Valkey that takes connections and never answers costs: one wait, and then none for a while."""

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
# How long nobody asks after a call that has waited in vain; then one does.
REST_SECONDS: Final = 2.0
# Whoever answers, or is not there, says so earlier. What takes so much longer says that this process did not run.
_SILENT: Final = 0.9 * CALL_SECONDS
_STALLED: Final = CALL_SECONDS + 0.25

# A command may have to connect first, which is a call as well.
_calling: Final = ContextVar("calling", default=False)


class CacheSilentError(RedisConnectionError):
    """It did not answer a moment ago, so it was not asked."""


class _SleptError(Exception):
    pass


class Breaker:
    """Shared by all connections of a client."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._closed_until = float("-inf")
        self._tripped = False

    def __deepcopy__(self, _memo: dict[int, object]) -> Self:
        """The library copies what it is given for each connection."""
        return self

    def enter(self) -> None:
        """Raises CacheSilentError. After the rest the first one may try, and the others wait for what it finds."""
        if not self._tripped:
            return
        now = self.clock()
        if now < self._closed_until:
            raise CacheSilentError("it did not answer a moment ago")
        self._closed_until = now + REST_SECONDS

    def trip(self) -> None:
        self._tripped = True
        self._closed_until = self.clock() + REST_SECONDS

    def close(self) -> None:
        self._tripped = False


class BreakingRetry(Retry):
    """A connection that has been lost is opened anew, once; who did not answer is not asked again at once."""

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
        """Asks once more where this process has slept through the answer."""
        try:
            return await self._judged(call, _STALLED)
        except _SleptError:
            return await self._judged(call, math.inf)

    async def _judged[T](self, call: Callable[[], Awaitable[T]], longest: float) -> T:
        began = self._breaker.clock()
        try:
            answer = await call()
        except RedisError as error:
            waited = self._breaker.clock() - began
            if waited > longest:
                raise _SleptError from error
            if waited >= _SILENT:
                self._breaker.trip()
            else:
                self._breaker.close()
            raise
        self._breaker.close()
        return answer
