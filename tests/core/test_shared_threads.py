from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from partywall.core.recent_use import RecentUse
from partywall.core.shared_threads import SharedThreads
from partywall.core.tenant import Tenant
from partywall.core.tenant_semaphore import TooMuchAtOnceError

GREEDY, HONEST = Tenant("greedy"), Tenant("honest")


@pytest.fixture
def threads() -> Iterator[SharedThreads]:
    made = SharedThreads("test", 2, each=1, waiting=1)
    yield made
    made.close()


async def test_one_tenant_leaves_a_thread_to_others(threads: SharedThreads) -> None:
    go_on = threading.Event()
    first = asyncio.create_task(threads.run(go_on.wait, GREEDY))
    second = asyncio.create_task(threads.run(threading.current_thread, GREEDY))
    assert (await threads.run(threading.current_thread, HONEST)).name.startswith("test")
    assert (threads.slots.in_use, threads.slots.waiting, second.done()) == (1, 1, False)
    with pytest.raises(TooMuchAtOnceError):
        await threads.run(threading.current_thread, GREEDY)
    go_on.set()
    await asyncio.gather(first, second)
    assert (threads.slots.in_use, threads.slots.waiting) == (0, 0)


async def test_heavy_users_leave_a_thread_to_others() -> None:
    use = RecentUse(lambda: 0.0)
    threads = SharedThreads("test", 2, each=1, waiting=1, use=use)
    others = Tenant("greedy too")
    for each in (GREEDY, others):
        use.add(each.name, 60)
    go_on = threading.Event()
    first, second = (asyncio.create_task(threads.run(go_on.wait, each)) for each in (GREEDY, others))
    assert (await threads.run(threading.current_thread, HONEST)).name.startswith("test")
    assert (threads.slots.in_use, threads.slots.waiting) == (1, 1)
    go_on.set()
    await asyncio.gather(first, second)
    threads.close()


async def test_thread_time_is_recorded() -> None:
    use = RecentUse(lambda: 0.0)
    threads = SharedThreads("test", 1, each=1, waiting=1, use=use)
    await threads.run(lambda: None, GREEDY)
    while not use.of(GREEDY.name):
        await threads.run(lambda: None, GREEDY)
    assert use.of(HONEST.name) == 0.0
    threads.close()


async def test_a_slot_is_held_as_long_as_its_thread_runs(threads: SharedThreads) -> None:
    begun, go_on, ended = threading.Event(), threading.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        begun.set()
        go_on.wait()
        loop.call_soon_threadsafe(ended.set)

    abandoned = asyncio.create_task(threads.run(work, GREEDY))
    while not begun.is_set():
        await asyncio.sleep(0.001)
    abandoned.cancel()
    with pytest.raises(asyncio.CancelledError):
        await abandoned
    assert threads.slots.in_use == 1
    go_on.set()
    await ended.wait()
    assert await threads.run(lambda: "next", GREEDY) == "next"


async def test_exceptions_of_the_work_are_raised(threads: SharedThreads) -> None:
    def work() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        await threads.run(work, GREEDY)
    assert threads.slots.in_use == 0
