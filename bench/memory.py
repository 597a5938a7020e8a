"""Memory of all processes of an idle `partywall serve` with the bundled model loaded. `make bench-memory`."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx2

from bench import machine
from bench.deployment import throwaway
from bench.processes import children_of, free_port
from bench.seed import sign_up
from partywall.supervisor.network import status_of

TARGET_MB = 350
READY_SECONDS = 120.0
PARTS: dict[str, Callable[[list[str]], bool]] = {
    "api": lambda words: "api" in words,
    "worker": lambda words: "worker" in words,
    "supervisor": lambda words: "supervise" in words,
    "postgres": lambda words: "postgres" in words[0],
    "valkey": lambda words: "valkey" in words[0],
}


def memory(pid: int) -> dict[str, float]:
    """RSS and PSS in MB; PSS counts a page shared by n processes as 1/n."""
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in ("Rss", "Pss"):
            found[name.lower()] = int(rest.split()[0]) / 1024
    return found


def part_of(pid: int) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0").split("\0")
    return next((name for name, is_it in PARTS.items() if is_it(words)), "others")


def take(root: int) -> dict[str, dict[str, float]]:
    totals = {name: {"rss": 0.0, "pss": 0.0} for name in (*PARTS, "others")}
    for pid in [root, *children_of(root)]:
        for kind, value in memory(pid).items():
            totals[part_of(pid)][kind] += value
    return {name: {kind: round(value, 1) for kind, value in total.items()} for name, total in totals.items()}


async def work(port: int) -> None:
    """Indexes and finds a document, so that both processes have loaded the model and everything else."""
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
        client.headers["Authorization"] = f"Bearer {await sign_up(client)}"
        project = (await client.post("/api/v1/projects", json={"name": "Memory"})).json()["id"]
        body = {"title": "Memory", "content": "How much memory does an idle server need?"}
        made = await client.post(f"/api/v1/projects/{project}/documents", json=body)
        assert made.status_code == 201, made.text
        async with asyncio.timeout(60):
            while True:
                found = await client.get(f"/api/v1/projects/{project}/search", params={"q": "idle server"})
                assert found.status_code == 200, found.text
                if found.json()["items"]:
                    return
                await asyncio.sleep(0.2)


async def measure(data_dir: Path, idle_seconds: float) -> dict[str, dict[str, float]]:
    port = free_port()
    command = [sys.executable, "-m", "partywall", "serve", "--port", str(port), "--data-dir", str(data_dir)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)  # noqa: ASYNC220 - nothing else runs meanwhile
    try:
        async with asyncio.timeout(READY_SECONDS):
            while await status_of("127.0.0.1", port, "/readyz") != 200:
                assert process.poll() is None, "partywall serve ended"
                await asyncio.sleep(0.1)
        await work(port)
        await asyncio.sleep(idle_seconds)
        return take(process.pid)
    finally:
        process.send_signal(signal.SIGINT)
        await asyncio.to_thread(process.wait)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--idle", type=float, default=75.0, help="seconds without requests before measuring")
    options = parser.parse_args()
    with throwaway() as directory:
        found = asyncio.run(measure(directory / "data", options.idle))
    for name, each in found.items():
        print(f"{name:12} RSS {each['rss']:7.1f} MB   PSS {each['pss']:7.1f} MB")
    total = sum(each["pss"] for each in found.values())
    print(f"{'all':12} PSS {total:7.1f} MB (target {TARGET_MB} MB)")
    met = total <= TARGET_MB
    print(json.dumps({"benchmark": "memory", "machine": machine.facts(), "mb": found, "met": met}))
    sys.exit(0 if met else 1)


if __name__ == "__main__":
    main()
