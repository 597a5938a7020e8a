"""Time from SIGTERM to the end of a busy `partywall serve`. `make bench-stop`."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx2

from bench import machine
from bench.deployment import throwaway
from bench.processes import free_port
from bench.seed import BATCH, document, sign_up
from partywall.supervisor.network import status_of

TARGET_SECONDS = 2.0
READY_SECONDS = 120.0
RUNS, WEBHOOKS, UPLOADS, IDLE = 8, 5, 20, 50


@asynccontextmanager
async def silent_server() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """Runs a server that never responds; yields its URL and an event that the first request sets."""
    asked = asyncio.Event()

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            asked.set()
        writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()


def environment(model: str) -> dict[str, str]:
    return {
        "AGENTS__MODEL": "openai:silent",
        "AGENTS__API_KEY": "none",
        "AGENTS__BASE_URL": model,
        "EVENTS__CONNECTIONS_PER_PRINCIPAL": "100000",
        "OUTGOING__ALLOW_HTTP": "true",
        "OUTGOING__ALLOWED_NETWORKS": "127.0.0.0/8",
    }


async def busy(stack: AsyncExitStack, port: int, target: str, streams: int, documents: int) -> None:
    """Opens streams, half-sent requests and idle connections; starts runs and deliveries that get no response; and
    creates documents to index."""
    limits = httpx2.Limits(max_connections=None)
    base = f"http://127.0.0.1:{port}"
    client = await stack.enter_async_context(httpx2.AsyncClient(base_url=base, timeout=60, limits=limits))
    client.headers["Authorization"] = f"Bearer {await sign_up(client)}"
    project = f"/api/v1/projects/{await _made(client, '/api/v1/projects', {'name': 'Busy'})}"
    for number in range(WEBHOOKS):
        await _made(client, f"{project}/webhooks", {"url": f"{target}/{number}", "types": ["document.created"]})
    for _ in range(streams):
        await stack.enter_async_context(client.stream("GET", f"{project}/events"))
    for number in range(UPLOADS + IDLE):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        if number < UPLOADS:
            head = f"POST {project}/documents HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
            writer.write(f"{head}Authorization: {client.headers['Authorization']}\r\n\r\n{{".encode())
    for _ in range(RUNS):
        await _made(client, f"{project}/runs", {"agent": "answer", "input": {"question": "How long is a stop?"}})
    chance = random.Random(1)
    for _ in range(documents // BATCH):
        some = [document(chance, each) for each in range(BATCH)]
        answer = await client.post(f"{project}/documents/batch", json={"documents": some})
        assert answer.status_code == 201, answer.text


async def _made(client: httpx2.AsyncClient, path: str, body: object) -> str:
    answer = await client.post(path, json=body)
    assert answer.is_success, answer.text
    return str(answer.json()["id"])


async def measure(data_dir: Path, streams: int, documents: int) -> tuple[float, str]:
    """Seconds until the end, and the output after the signal."""
    port = free_port()
    command = [sys.executable, "-m", "partywall", "serve", "--port", str(port), "--data-dir", str(data_dir)]
    async with AsyncExitStack() as stack:
        model, run_begun = await stack.enter_async_context(silent_server())
        target, delivered = await stack.enter_async_context(silent_server())
        log = stack.enter_context((data_dir.parent / "log").open("w+b"))
        process = subprocess.Popen(  # noqa: ASYNC220 - nothing else runs meanwhile
            command, env={**os.environ, **environment(model)}, stdout=log, stderr=subprocess.STDOUT
        )
        try:
            async with asyncio.timeout(READY_SECONDS):
                while await status_of("127.0.0.1", port, "/readyz") != 200:
                    assert process.poll() is None, "partywall serve ended"
                    await asyncio.sleep(0.05)
                await busy(stack, port, target, streams, documents)
                await run_begun.wait()
                await delivered.wait()
        finally:
            at, started = log.tell(), time.perf_counter()
            process.send_signal(signal.SIGTERM)
            await asyncio.to_thread(process.wait)
            seconds = time.perf_counter() - started
        log.seek(at)
        return seconds, log.read().decode()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--documents", type=int, default=2000, help="documents that are being indexed")
    options = parser.parse_args()
    with throwaway() as directory:
        seconds, said = asyncio.run(measure(directory / "data", options.streams, options.documents))
    killed = "killing" in said
    print(f"stopped in {seconds:.2f} s (target {TARGET_SECONDS:.0f} s), {'not ' if not killed else ''}by killing")
    met = seconds <= TARGET_SECONDS and not killed
    facts = {"streams": options.streams, "documents": options.documents, "seconds": round(seconds, 2)}
    print(json.dumps({"benchmark": "stop", "machine": machine.facts(), **facts, "met": met}))
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
