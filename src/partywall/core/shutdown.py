"""Cancels slow work when the process is to stop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Final

# Time to save finished work; a wait for another server could take much longer.
GRACE_SECONDS: Final = 0.5


class CutShortError(Exception):
    """The process is stopping, and the work did not finish within the grace period."""


async def unless_stopped[T](stop: asyncio.Event, work: Awaitable[T]) -> T:
    """Returns the result of `work`; cancels it and raises CutShortError once `stop` was set for GRACE_SECONDS."""
    limit = asyncio.timeout(None)
    # lint: allow untracked-task - it ends with this block, and a group would wrap what the work raises
    watching = asyncio.ensure_future(_set_limit(stop, limit))
    try:
        async with limit:
            return await work
    except TimeoutError as error:
        if limit.expired():
            raise CutShortError from error
        raise
    finally:
        watching.cancel()


async def _set_limit(stop: asyncio.Event, limit: asyncio.Timeout) -> None:
    await stop.wait()
    limit.reschedule(asyncio.get_running_loop().time() + GRACE_SECONDS)
