"""How this process allocates and returns memory, and which objects the garbage collector skips."""

from __future__ import annotations

import asyncio
import ctypes
import gc
from typing import Final

# Constants of glibc's <malloc.h>.
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
_ARENA_MAX: Final = -8
# Larger blocks are mapped separately and returned when freed; by default glibc raises this threshold up to 32 MB.
_LARGE_BYTES: Final = 256 * 1024
# How much may stay free at the end of the heap: with the default 128 KB it would shrink and grow every few requests.
_FREE_BYTES: Final = 16 * 1024 * 1024
_ARENAS: Final = 2
TRIM_SECONDS: Final = 1.0


def release_memory() -> None:
    """Tunes malloc to return memory; does nothing without glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _LARGE_BYTES)
        mallopt(_TRIM_THRESHOLD, _FREE_BYTES)
        mallopt(_ARENA_MAX, _ARENAS)


async def trim_memory() -> None:
    """Returns free memory inside the heap, forever; glibc itself does so only at the heap's end."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    while trim is not None:
        await asyncio.sleep(TRIM_SECONDS)
        await asyncio.to_thread(trim, 0)


def exempt_from_collection() -> None:
    """Exempts what exists after the start from garbage collection: modules, models, routes.

    Scanning it all would block the event loop for 0.1 s and more, again and again.
    """
    gc.collect()
    gc.freeze()
