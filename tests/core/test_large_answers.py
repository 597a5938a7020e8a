from __future__ import annotations

import sys
from pathlib import Path

from partywall.core.large_answers import LargeAnswers, Produced
from partywall.testing.conditions import until

MIB = 1024 * 1024


async def test_memory_does_not_hold_an_answer_that_is_on_disk(tmp_path: Path) -> None:
    answers = LargeAnswers(tmp_path, on_disk=64 * MIB, in_memory=64 * MIB)
    body = b"a" * MIB
    references = sys.getrefcount(body)

    async def produce() -> Produced:
        return body, {"ETag": '"1"'}

    async with answers.produced("a caller", len(body), produce) as (file, headers):
        assert (file.size, headers) == (MIB, {"ETag": '"1"'})
        # The thread that wrote the file may keep it for a moment.
        await until(lambda: sys.getrefcount(body) == references)
