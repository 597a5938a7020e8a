from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass

import httpx2
import pytest

from partywall.adapters.oidc.bounded_transport import AT_ONCE_EACH, MOST_BYTES, AnswerRefusedError, BoundedTransport


class Endless(httpx2.AsyncByteStream):
    def __init__(self) -> None:
        self.sent = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            self.sent += 1000
            yield b"x" * 1000

    async def aclose(self) -> None:
        self.closed = True


@dataclass
class Answering(httpx2.AsyncBaseTransport):
    answer: httpx2.Response

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        return self.answer


def client(answer: httpx2.Response) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=BoundedTransport(Answering(answer)))


async def test_an_endless_answer_is_cut_off_and_closed() -> None:
    endless = Endless()
    with pytest.raises(AnswerRefusedError):
        await client(httpx2.Response(200, stream=endless)).get("http://a/")
    assert endless.sent <= MOST_BYTES + 1000
    assert endless.closed


async def test_a_compressed_answer_is_refused() -> None:
    packed = gzip.compress(b"x" * 10_000_000)
    stream = httpx2.ByteStream(packed)
    answer = httpx2.Response(200, stream=stream, headers={"content-encoding": "gzip"})
    with pytest.raises(AnswerRefusedError):
        await client(answer).get("http://a/")


async def test_requests_that_wait_for_one_host_are_limited() -> None:
    waiting, release = [], asyncio.Event()

    class Slow(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
            waiting.append(request)
            await release.wait()
            return httpx2.Response(200, stream=httpx2.ByteStream(b""))

    slow = httpx2.AsyncClient(transport=BoundedTransport(Slow()))
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(slow.get("http://a/")) for _ in range(AT_ONCE_EACH)]
        while len(waiting) < AT_ONCE_EACH:
            await asyncio.sleep(0)
        with pytest.raises(AnswerRefusedError):
            await slow.get("http://a/")
        release.set()
    assert {task.result().status_code for task in tasks} == {200}
    assert (await slow.get("http://a/")).status_code == 200
