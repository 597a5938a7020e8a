from __future__ import annotations

import asyncio
import ctypes
import gc
import os
from pathlib import Path

import pytest

from partywall.core import memory
from partywall.core.memory import exempt_from_collection, trim_memory

MIB = 1024 * 1024


def test_objects_of_the_start_are_exempt_from_garbage_collection() -> None:
    exempt_from_collection()
    try:
        assert gc.get_freeze_count() > 10_000
        assert len(gc.get_objects()) < 1_000
    finally:
        gc.unfreeze()


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="glibc alone gives back what is in between")
async def test_free_memory_below_used_blocks_is_released(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "TRIM_SECONDS", 0.0)
    pieces = [b"x" * (60 * 1024 + n) for n in range(1000)]
    full = resident()
    used = pieces[::50]
    del pieces
    assert full - resident() < 30 * MIB, "those that are used should have kept the heap from shrinking"
    trimming = asyncio.create_task(trim_memory())
    async with asyncio.timeout(60):
        while full - resident() < 30 * MIB:
            await asyncio.sleep(0.01)
    trimming.cancel()
    assert len(used) == 20
