"""A value from another server, kept for a while and fetched again at a limited rate."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Final

FRESH_SECONDS: Final = 600.0
"""So long a value is used without asking again."""
KEPT_SECONDS: Final = 3600.0
"""So long it is used while the server does not answer."""
PAUSE_SECONDS: Final = 10.0
"""Between two attempts, whether they failed or not."""

type Clock = Callable[[], float]


class FetchedValue[T]:
    """Fetches are never concurrent. A failure is repeated to callers during the pause, without asking the server."""

    def __init__(
        self, fetch: Callable[[], Awaitable[T]], errors: tuple[type[Exception], ...], clock: Clock = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._errors = errors
        self._clock = clock
        self._known: tuple[T, float] | None = None
        self._failure: Exception | None = None
        self._tried_at = float("-inf")
        self._lock = asyncio.Lock()

    def cached(self) -> T | None:
        """The value if it is fresh, without I/O."""
        known = self._known
        return known[0] if known is not None and self._clock() - known[1] < FRESH_SECONDS else None

    async def get(self) -> T:
        """The value. Raises one of `errors` if there is none that is young enough, and the server does not answer."""
        known = self.cached()
        if known is None and self._lock.locked() and self._is_usable():
            return self._usable()  # one caller waits for the server, not all
        if known is None:
            async with self._lock:
                known = self.cached()
                if known is None:
                    await self._try()
                    known = self._usable()
        return known

    async def renewed(self, former: T) -> T:
        """A value that is newer than `former` if the server may be asked now; otherwise what is known."""
        async with self._lock:
            if self._known is None or self._known[0] is former:
                await self._try()
            return self._usable()

    async def _try(self) -> None:
        if self._clock() - self._tried_at < PAUSE_SECONDS:
            return
        try:
            self._known, self._failure = (await self._fetch(), self._clock()), None
        except self._errors as error:
            self._failure = error
        finally:
            self._tried_at = self._clock()

    def _is_usable(self) -> bool:
        return self._known is not None and self._clock() - self._known[1] < KEPT_SECONDS

    def _usable(self) -> T:
        if self._known is not None and self._is_usable():
            return self._known[0]
        assert self._failure is not None
        raise self._failure.with_traceback(None)  # it would grow with each caller
