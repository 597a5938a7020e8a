"""How this process takes memory from the system and gives it back, and what is not looked at again."""

from __future__ import annotations

import asyncio
import ctypes
import gc
from typing import Final

# The numbers of glibc's <malloc.h>.
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
# What is larger is memory of its own, which goes back when it is free; left alone, glibc raises this up to 32 MB.
_LARGE_BYTES: Final = 256 * 1024
# So much may be free at the end of the heap: with the usual 128 KB it would shrink and grow with every few requests.
_FREE_BYTES: Final = 16 * 1024 * 1024
_ARENAS: Final = 2
TRIM_SECONDS: Final = 1.0


def release_memory() -> None:
    """Where the C library is another one than glibc, it does nothing."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_TRIM_THRESHOLD, _FREE_BYTES)
        mallopt(_ARENA_MAX, _ARENAS)


async def trim_memory() -> None:
    """For ever: gives back what is free between what is used. By itself glibc does so at the end of its heap alone."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while trim is not None:
        await asyncio.sleep(TRIM_SECONDS)
        await asyncio.to_thread(trim, 0)


def exempt_from_collection() -> None:
    """What is here now, after the start, stays until the end: modules, models, routes.

    Looking through all of it for garbage would stop the event loop for a tenth of a second and more, again and again.
    """
    gc.collect()
    gc.freeze()
