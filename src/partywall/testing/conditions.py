from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def until(check: Callable[[], bool | Awaitable[bool]], seconds: float = 60.0) -> None:
    """Polls a condition that nothing announces. Raises TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while True:
            found = check()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)
