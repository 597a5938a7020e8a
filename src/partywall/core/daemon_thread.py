"""Work that cannot be broken off, and for which the end of the process does not wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import cast


async def in_daemon_thread[T](work: Callable[[], T]) -> T:
    """What the work answers or raises. Only for what may be cut off anywhere, such as reading a program."""
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[T] = loop.create_future()

    def settle(answer: T | None, error: BaseException | None) -> None:
        if answered.done():  # nobody waits for it any more
            return
        if error is not None:
            answered.set_exception(error)
        else:
            answered.set_result(cast("T", answer))

    def run() -> None:
        answer, failed = None, None
        try:
            answer = work()
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            failed = error
        with suppress(RuntimeError):  # the loop is closed
            loop.call_soon_threadsafe(settle, answer, failed)

    threading.Thread(target=run, name="reading", daemon=True).start()
    return await answered
