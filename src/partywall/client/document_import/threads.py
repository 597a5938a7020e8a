"""Runs requests in a few threads; their results are handled by the caller's thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType
from typing import Final, Self

from partywall.client.api import Api

THREADS: Final = 3
# Bounds what is held in memory and the work that an interruption loses.
SUBMITTED: Final = 2 * THREADS


class RequestThreads[Result]:
    """If the block ends by an exception, no request is repeated any more."""

    def __init__(self, api: Api) -> None:
        self._executor = ThreadPoolExecutor(THREADS)
        self._api = api
        self._handlers: dict[Future[Result], Callable[[Future[Result]], None]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._api.stop_retries()
        self._executor.shutdown(cancel_futures=True)
        self._api.allow_retries()

    def submit(self, request: Callable[[], Result], handle: Callable[[Future[Result]], None]) -> None:
        """Waits while too many are submitted. `handle` is called here or in `drain`."""
        self._handle_ended(SUBMITTED - 1)
        self._handlers[self._executor.submit(request)] = handle

    def drain(self) -> None:
        self._handle_ended(0)

    def _handle_ended(self, left: int) -> None:
        while len(self._handlers) > left:
            for ended in wait(self._handlers, return_when=FIRST_COMPLETED).done:
                self._handlers.pop(ended)(ended)
