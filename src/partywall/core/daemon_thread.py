"""Runs work that cannot be cancelled in a thread that the end of the process does not wait for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import cast


async def in_daemon_thread[T](work: Callable[[], T]) -> T:
    """Returns or raises what the work does. Only for work that may stop at any point, such as importing modules."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[T] = loop.create_future()

    def settle(answer: T | None, error: BaseException | None) -> None:
        if answered.done():  # cancelled
            return
        if error is not None:
            answered.set_exception(error)
        else:
            answered.set_result(cast("T", answer))

    def run() -> None:
        answer, failed = None, None
        try:
            answer = work()
        except BaseException as error:  # noqa: BLE001 - raised in the awaiting task
            failed = error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, answer, failed)

    threading.Thread(target=run, name="reading", daemon=True).start()
    return await answered
