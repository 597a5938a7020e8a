"""A model server that runs as a process and prints its address. The content of a prompt determines the answer."""

from __future__ import annotations

import asyncio
import re

from bench.hostile.names import HANG, MATCH
from tests.features.runs.model_server import Asked, Reply, calling, final, model_server

HANG_SECONDS = 8.0
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def answer(asked: Asked) -> Reply:
    prompt = asked.prompt
    if HANG in prompt:
        await asyncio.sleep(HANG_SECONDS)
        return final(report="At last.")
    if "write" in asked.tools:
        return final(notes="Done.") if asked.tool_results else calling("write", title="A", content="Written.")
    if MATCH in prompt and (found := _ID.search(prompt)):
        if not asked.tool_results:
            return calling("read", document_id=found[0])
        return final(items=[{"document_id": found[0], "object": {"a": "a" * 40 + "!"}}] * 20)
    return final(report="Done.")


async def main() -> None:
    async with model_server() as model:
        model.script = answer
        print(model.url, flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
