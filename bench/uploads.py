"""Large uploads: memory of the API, and how long others wait meanwhile, on a directory and on S3. `make bench-uploads`.

The API may grow by 150 MB, and the p95 of others' requests may be three times that of quiet times. The client that
uploads and the S3 server stand for other machines: they run only when the processors are idle.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import httpx2

from bench import machine
from bench.deployment import throwaway
from bench.memory import memory, part_of
from bench.processes import children_of, free_port
from bench.seed import sign_up
from partywall.supervisor.network import status_of
from partywall.testing.s3_server import BUCKET, KEY_ID, SECRET, S3Server

MEGABYTE: Final = 1024 * 1024
LIMIT: Final = 2 * 1024 * MEGABYTE
MOST_GROWTH_MB: Final = 150
MOST_FACTOR: Final = 3
READY_SECONDS: Final = 120.0
PAUSE_SECONDS: Final = 0.04
_PIECE: Final = 256 * 1024
_BOUNDARY: Final = "a-boundary-of-this-benchmark"


@dataclass(frozen=True, slots=True)
class Upload:
    name: str
    megabytes: int


UPLOADS: Final = (Upload("text.txt", 1024), Upload("scan.pdf", 300))


@dataclass(frozen=True, slots=True)
class Result:
    store: str
    upload: str
    megabytes: int
    status: int
    code: str
    seconds: float
    idle_mb: float
    peak_mb: float
    quiet_ms: float
    meanwhile_ms: float
    requests: int

    @property
    def met(self) -> bool:
        return self.peak_mb - self.idle_mb <= MOST_GROWTH_MB and self.meanwhile_ms < MOST_FACTOR * self.quiet_ms


def content(upload: Upload) -> Iterator[bytes]:
    """A text, or a PDF with one page and a stream as large as a scanned book."""
    size = upload.megabytes * MEGABYTE
    if not upload.name.endswith(".pdf"):
        line = b"All work and no play makes a long text.\n"
        piece = line * (_PIECE // len(line))
        for _ in range(size // len(piece)):
            yield piece
        return
    page = b"BT /F1 12 Tf 72 720 Td (A large scan of a whole book.) Tj ET"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 %b >> >> >>"
        % b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d >>\nstream\n%b\nendstream" % (len(page), page),
    ]
    written, offsets = b"%PDF-1.7\n", []
    for number, each in enumerate(objects, 1):
        offsets.append(len(written))
        written += b"%d 0 obj\n%b\nendobj\n" % (number, each)
    offsets.append(len(written))
    yield written + b"5 0 obj\n<< /Length %d >>\nstream\n" % size
    noise = os.urandom(_PIECE)
    for _ in range(size // _PIECE):
        yield noise
    end = b"\nendstream\nendobj\n"
    start = len(written) + len(b"5 0 obj\n<< /Length %d >>\nstream\n" % size) + size + len(end)
    rows = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    yield end + b"xref\n0 6\n0000000000 65535 f \n%btrailer\n<< /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        rows, start,
    )  # fmt: skip


def send(port: int, path: str, token: str, upload: Upload) -> None:
    """Runs in a process of its own; prints the status and the problem's code."""
    head = (
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="{upload.name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    tail = f"\r\n--{_BOUNDARY}--\r\n".encode()
    size = sum(map(len, content(upload)))
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    connection.putrequest("POST", path)
    connection.putheader("Authorization", f"Bearer {token}")
    connection.putheader("Content-Type", f"multipart/form-data; boundary={_BOUNDARY}")
    connection.putheader("Content-Length", str(len(head) + size + len(tail)))
    connection.endheaders()
    for piece in (head, *content(upload), tail):
        connection.send(piece)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    print(json.dumps([answer.status, body.get("code") or body.get("index_status")]))


@dataclass(slots=True)
class Watch:
    """The memory of the API, every 50 ms."""

    pid: int
    peak: float = 0.0

    async def run(self) -> None:
        while True:
            self.peak = max(self.peak, memory(self.pid)["rss"])
            await asyncio.sleep(0.05)


def p95(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.95)] * 1000


async def ask(client: httpx2.AsyncClient, path: str, times: list[float], until: asyncio.Event) -> None:
    """What another user does meanwhile, with small pauses."""
    while not until.is_set():
        began = time.perf_counter()
        answer = await client.get(path)
        assert answer.status_code == 200, answer.text
        times.append(time.perf_counter() - began)
        await asyncio.sleep(PAUSE_SECONDS)


async def quiet(client: httpx2.AsyncClient, path: str, seconds: float) -> float:
    over, times = asyncio.Event(), list[float]()
    asking = asyncio.create_task(ask(client, path, times, over))
    await asyncio.sleep(seconds)
    over.set()
    await asking
    return p95(times)


async def measure(store: str, pid: int, port: int, upload: Upload, quiet_seconds: float) -> Result:
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as client:
        token = await sign_up(client)
        client.headers["Authorization"] = f"Bearer {token}"
        project = (await client.post("/api/v1/projects", json={"name": "Uploads"})).json()["id"]
        path = f"/api/v1/projects/{project}/documents"
        for number in range(20):
            made = await client.post(path, json={"title": f"T{number}", "content": "Some words."})
            assert made.status_code == 201, made.text
        await asyncio.sleep(3)
        before, idle = await quiet(client, path, quiet_seconds), memory(pid)["rss"]
        watch, over, times = Watch(pid), asyncio.Event(), list[float]()
        watching = asyncio.create_task(watch.run())
        asking = asyncio.create_task(ask(client, path, times, over))
        began = time.perf_counter()
        sender = await asyncio.create_subprocess_exec(
            "nice", "-n", "19", sys.executable, "-m", "bench.uploads", "--send", str(port), f"{path}/upload", token,
            upload.name, str(upload.megabytes), stdout=subprocess.PIPE,
        )  # fmt: skip
        output, _ = await sender.communicate()
        seconds = time.perf_counter() - began
        over.set()
        await asking
        watching.cancel()
        status, code = json.loads(output)
    return Result(
        store, upload.name, upload.megabytes, status, code, round(seconds, 1), round(idle, 1), round(watch.peak, 1),
        round(before, 1), round(p95(times), 1), len(times),
    )  # fmt: skip


@asynccontextmanager
async def serving(directory: Path, environment: Mapping[str, str]) -> AsyncIterator[tuple[int, int]]:
    """The API's process id and port."""
    port = free_port()
    command = [sys.executable, "-m", "partywall", "serve", "--port", str(port), "--data-dir", str(directory / "data")]
    more = {"BLOBS__MAX_UPLOAD_BYTES": str(LIMIT), "ACCOUNTS__ATTEMPTS_PER_MINUTE": "100000", **environment}
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **more})  # noqa: ASYNC220 - nothing else runs meanwhile
    try:
        async with asyncio.timeout(READY_SECONDS):
            while await status_of("127.0.0.1", port, "/readyz") != 200:
                assert process.poll() is None, "partywall serve ended"
                await asyncio.sleep(0.1)
        [api] = [pid for pid in children_of(process.pid) if part_of(pid) == "api"]
        yield api, port
    finally:
        process.send_signal(signal.SIGINT)
        await asyncio.to_thread(process.wait)


@asynccontextmanager
async def s3(directory: Path) -> AsyncIterator[dict[str, str]]:
    server = S3Server(directory)
    try:
        await server.start()
        server.yield_processors()
        yield {
            "BLOBS__ENGINE": "s3", "BLOBS__ENDPOINT": server.endpoint, "BLOBS__BUCKET": BUCKET,
            "BLOBS__ACCESS_KEY_ID": KEY_ID, "BLOBS__SECRET_ACCESS_KEY": SECRET,
        }  # fmt: skip
    finally:
        server.stop()


async def run(stores: list[str], quiet_seconds: float) -> list[Result]:
    results = []
    for store in stores:
        for upload in UPLOADS:  # a new server for each, so that the second one does not begin with the first's memory
            with throwaway() as directory:
                if store == "s3":
                    async with s3(directory / "s3") as environment, serving(directory, environment) as (pid, port):
                        results.append(await measure(store, pid, port, upload, quiet_seconds))
                else:
                    async with serving(directory, {}) as (pid, port):
                        results.append(await measure(store, pid, port, upload, quiet_seconds))
            print(_line(results[-1]), flush=True)
    return results


def _line(each: Result) -> str:
    return (
        f"{each.store:9} {each.upload:8} {each.megabytes:5} MB  {each.status} {each.code:18} {each.seconds:6.1f} s"
        f"  RSS {each.idle_mb:6.1f} -> {each.peak_mb:6.1f} MB  p95 {each.quiet_ms:5.1f} -> {each.meanwhile_ms:5.1f} ms"
        f"  ({each.requests} requests)  {'met' if each.met else 'NOT MET'}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--store", choices=["directory", "s3"], action="append", help="default: both")
    parser.add_argument("--quiet", type=float, default=10.0, help="seconds of quiet requests before each upload")
    parser.add_argument("--send", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.send:
        port, path, token, name, megabytes = options.send
        send(int(port), path, token, Upload(name, int(megabytes)))
        return
    results = asyncio.run(run(options.store or ["directory", "s3"], options.quiet))
    met = all(each.met for each in results)
    facts = {"machine": machine.facts(), "results": [asdict(each) for each in results], "met": met}
    print(json.dumps({"benchmark": "uploads", **facts}))
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
