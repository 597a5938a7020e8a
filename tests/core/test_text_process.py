from __future__ import annotations

import asyncio
import os
import signal
import sys
import zlib
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from partywall.core.tenant import Tenant, set_current_tenant
from partywall.core.text_process import child, processes
from partywall.core.text_process.processes import (
    TextLimits,
    TextProcessBusyError,
    TextProcesses,
    TextTooCostlyError,
)
from partywall.features.documents.html_text import Page, read_page
from partywall.features.search.page_chunks import chunk_document, chunks_of, cut, request

MEGABYTE = 1024 * 1024
LIMITS = TextLimits(at_once=2, cpu_seconds=60, memory=256 * MEGABYTE)
HASTY = replace(LIMITS, cpu_seconds=1)


def children() -> set[int]:
    """A thread may end while they are listed."""
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):
            found.update(map(int, (task / "children").read_text().split()))
    return found


async def test_a_text_process_gives_the_same_result_as_a_direct_call() -> None:
    texts = TextProcesses(LIMITS)
    page = Page.parse(await texts.run(read_page, "<title>Zażółć</title><p>One<p>Two".encode(), 40))
    assert page == Page("Zażółć", "One\n\nTwo")
    content = "# Head\n\nA line.\n\n# Middle\n\nA line.\n\n# Tail\n\nA line.\n\n" + "A sentence. " * 10_000
    given = request(content, "text/markdown")
    assert chunks_of(await texts.run(cut, given, len(given))) == chunk_document(content, "text/markdown")


@pytest.mark.parametrize(
    ("text", "limits", "reason"),
    [
        (b"<div>" * 300_000, HASTY, "more than 1 seconds"),
        (b"<p>x" * 1_500_000, LIMITS, "more than 256 MB of memory"),
    ],
    ids=["time", "memory"],
)
async def test_exceeding_a_limit_gives_a_reason_and_leaves_no_process(
    text: bytes, limits: TextLimits, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "_MAX_WAIT", 60)
    before = children()
    with pytest.raises(TextTooCostlyError, match=reason):
        await TextProcesses(limits).run(read_page, text, len(text))
    assert children() <= before


async def test_a_text_process_runs_with_lower_priority() -> None:
    texts, seen = TextProcesses(LIMITS), set[int]()
    before = children()
    reading = asyncio.create_task(texts.run(read_page, b"<div>" * 300_000, 60 * MEGABYTE))
    while not seen & {min(19, os.getpriority(os.PRIO_PROCESS, 0) + child.NICER)}:
        await asyncio.sleep(0.01)
        for pid in children() - before:
            with suppress(ProcessLookupError):
                seen.add(os.getpriority(os.PRIO_PROCESS, pid))
        assert not reading.done(), seen
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_a_busy_machine_is_not_blamed_on_the_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_MAX_WAIT", 0.01)
    with pytest.raises(TextProcessBusyError):
        await TextProcesses(HASTY).run(read_page, b"<div>" * 300_000, 60 * MEGABYTE)


async def test_a_process_that_somebody_kills_is_not_blamed_on_the_text() -> None:
    before = children()
    reading = asyncio.create_task(TextProcesses(LIMITS).run(read_page, b"<div>" * 300_000, 60 * MEGABYTE))
    while not (started := children() - before):
        await asyncio.sleep(0.01)
    for pid in started:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(TextProcessBusyError):
        await reading


async def test_a_dead_process_is_an_error() -> None:
    with pytest.raises(TextTooCostlyError, match="failed"):
        await TextProcesses(LIMITS).run(os.abort, b"x" * MEGABYTE, MEGABYTE)  # type: ignore[arg-type]  # refuses them


async def test_the_output_is_limited() -> None:
    bomb = zlib.compress(bytes(processes.LARGEST_ANSWER + 1))
    with pytest.raises(TextTooCostlyError, match="bytes"):
        await TextProcesses(LIMITS).run(zlib.decompress, bomb, len(bomb))


async def test_a_cancelled_call_leaves_no_process() -> None:
    before = children()
    texts = TextProcesses(TextLimits(at_once=2, cpu_seconds=60, memory=LIMITS.memory))
    waiting = asyncio.create_task(texts.run(read_page, b"<div>" * 300_000, 60 * MEGABYTE))
    while children() <= before:
        await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert children() <= before


async def test_an_accounts_projects_share_its_processes() -> None:
    texts, greedy = TextProcesses(LIMITS), Tenant("greedy")
    set_current_tenant(greedy)
    async with texts.turns.hold(greedy):
        behind = asyncio.create_task(texts.run(read_page, b"<p>One", 6))
        set_current_tenant(Tenant("other"))
        assert Page.parse(await texts.run(read_page, b"<p>Two", 6)) == Page("", "Two")
        assert not behind.done()
        assert texts.turns.waiting == 1
    assert Page.parse(await behind) == Page("", "One")


def test_the_time_limit_of_a_text_grows_with_its_size() -> None:
    limits = TextLimits(at_once=2, cpu_seconds=10, memory=LIMITS.memory)
    assert [limits.seconds_for(size) for size in (100, MEGABYTE, 2_500_000, 100 * MEGABYTE)] == [2, 2, 4, 10]
    assert limits.max_wait > 2 * limits.cpu_seconds, "it waits for the two ahead of it"


async def test_two_accounts_with_costly_texts_leave_a_process_to_the_others() -> None:
    texts = TextProcesses(LIMITS)
    one, two, honest = (Tenant(name) for name in ("one", "two", "honest"))
    for costly in (one, two):
        set_current_tenant(costly)
        with pytest.raises(TextTooCostlyError):
            await texts.run(os.abort, b"x", 1)  # type: ignore[arg-type]  # refuses it
    assert texts.turns.try_acquire(one)
    assert not texts.turns.try_acquire(two)
    assert texts.turns.try_acquire(honest)


async def test_two_large_texts_leave_a_process_for_a_small_one() -> None:
    texts, tasks = (
        TextProcesses(TextLimits(at_once=2, cpu_seconds=60, memory=LIMITS.memory)),
        list[asyncio.Task[bytes]](),
    )
    for name in ("one", "two"):
        set_current_tenant(Tenant(name))
        tasks.append(asyncio.create_task(texts.run(read_page, b"<div>" * 300_000, 60 * MEGABYTE)))
    async with asyncio.timeout(10):
        while texts.turns.waiting < 1:
            await asyncio.sleep(0.01)
    assert texts.turns.try_acquire(Tenant("honest"))
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert texts.use.of("two") == 0.0, "unused time does not count"


async def test_a_process_imports_little() -> None:
    """Each process needs memory for what it imports, besides the API and the worker."""
    command = "import sys, partywall.core.text_process.child, {}; print(*sorted(sys.modules))"
    for module in (read_page.__module__, cut.__module__):
        code = command.format(module)
        process = await asyncio.create_subprocess_exec(sys.executable, "-I", "-c", code, stdout=asyncio.subprocess.PIPE)
        imported = (await process.communicate())[0].decode().split()
        assert module in imported
        assert not {"asyncio", "numpy", "pydantic", "sqlalchemy"} & set(imported)
